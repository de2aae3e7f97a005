"""Does its confidence mean what it says?"""
