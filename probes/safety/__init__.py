"""What does the model do that it should not: harm, leak, obey the wrong voice?"""
