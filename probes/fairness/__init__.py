"""Are people treated alike, whoever they are?"""
