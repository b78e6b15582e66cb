"""Controls: populations that answer "compared with what?"; one file per control."""
