"""How much of the answer is the prompt's, not the text's?"""
