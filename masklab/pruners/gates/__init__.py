"""Gates: rules from (base weight, mask) to effective weight; one file per gate."""
