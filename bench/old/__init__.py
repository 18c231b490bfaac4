"""Does an import of old days slow the people who are here now?"""
