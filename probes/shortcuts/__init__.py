"""Does the model rely on what only happens to go with the answer?"""
