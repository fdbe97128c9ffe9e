"""A virtual room's world in a process of its own, so that rooms have cores of their own and no other waits for them.

nursery.py   the process that they are forked from, and how the server has it do that
world.py     what runs in each: a virtual desk that does what it is told
desk.py      the server's side of it: a `Desk` like any other
"""
