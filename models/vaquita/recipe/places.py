"""Where in a conversation's pieces stands what an answer says again."""


class Place:
    """Characters begin to end of the text of a piece."""
    __slots__ = ("piece", "begin", "end")

    def __init__(self, piece, begin, end):
        self.piece, self.begin, self.end = piece, begin, end


class Guide:
    """Of an answer: where its question stands, the sentence (None: nowhere) and the metadata that it says again; and its names, as
    (character of the answer, Place)."""
    __slots__ = ("question", "sentence", "source", "names")

    def __init__(self, question=None, sentence=None, source=None, names=()):
        self.question, self.sentence, self.source, self.names = question, sentence, source, names
