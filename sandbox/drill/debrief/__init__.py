"""The debrief as a document, and as pages made from it: one document, whoever shows it."""
