"""Real logs become worlds: real items, users and history, and a behaviour fitted to them.

text, times      files and time stamps of whatever form, row by row
movielens, obd, kuairand, table   one reader per publisher's format, each gives a `Source`
source           what all readers give
topics, complete what a source lacks, filled in by counter-based streams
fit              the behaviour model fitted to the log
writing          the world directory
keys             the source's own keys, looked up
"""
