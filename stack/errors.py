"""What a person reads when a server cannot be had."""


class StackError(Exception):
    """One clear line that names what is wrong and where; a failed start adds the end of the server's log."""
