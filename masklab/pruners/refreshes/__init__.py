"""Refreshes: changes of base weights between epochs; one file per refresh."""
