"""How fast, and in how much memory, is a big Apple Health export read?"""
