"""Does a change that should not matter change the answer?"""
