"""The landscape between masks on the page: its rows, its tables and what is said of its methods."""
