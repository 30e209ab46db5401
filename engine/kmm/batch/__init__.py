"""Thousands of motions from a file of jobs: on the processors of this machine or on a Ray cluster.

jobs       a line of JSON -> the takes that it asks for
maker      a take -> its files, as bytes; the only part that computes
processes  takes -> results on processes of this machine
cluster    takes -> results on Ray actors
manifest   what is done: written by one process, whole after any kill
run        the above put together
"""
