"""Speed and memory of masklab beside the published style, as ratios measured side by side in one run."""
