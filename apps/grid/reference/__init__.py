"""Reference data from outside: zones, feeders, transformers, meters, consumers and their links in time.

A file is read (`sources`), taken for a kind with a column for each field (`kinds`), its texts become values (`values`,
`shapes`), which are staged and held against what is known (`planning`; links in time in `fitting`), and what differs is
written in one transaction (`applying`) with a journal that can take it back (`journal`). `actions` has the verbs.
"""
