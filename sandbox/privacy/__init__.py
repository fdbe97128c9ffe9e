"""What the law asks of data about people: rules as data, deletion that can be proved, and an audit.

A teaching model and no legal advice: each rule says what it leaves out (`simplified`) and how sure it is.
"""
