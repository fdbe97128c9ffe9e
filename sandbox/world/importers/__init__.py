"""Real logs become worlds: real items, users and history, and a behaviour fitted to them.

text, times            files and time stamps of whatever form, row by row
source, rows           what every reader gives, and the part that all readers share
movielens, obd, table  one reader per form of source
recognise, complete, people, lots  topics, languages, ages ... and what a source lacks, filled in
fit, fit_shown         the behaviour fitted to choices, or to impressions with their clicks
levels, truth          from the fit to the ground truth of a world
writing, importing     the world directory, in its place
keys                   the source's own keys, looked up
"""
