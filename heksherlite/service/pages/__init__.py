"""The pages for people: who asks to be let in, and what an operator says to that. HTML without any script."""
