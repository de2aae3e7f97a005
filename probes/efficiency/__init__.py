"""What does an answer cost in time, memory and money?"""
