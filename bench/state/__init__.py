"""How large is the state of a user's day, and how long does it take to bring a million of them back?"""
