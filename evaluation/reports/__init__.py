"""Reports: JSON, HTML pages and their figures."""
