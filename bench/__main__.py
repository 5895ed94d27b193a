"""`python -m bench [NAME …]`: measure, print a table, write bench/results/NAME.csv and .png."""
