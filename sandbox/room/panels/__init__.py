"""What a team looks at beside the overview: each panel a typed document, made from the tables that everybody may query."""
