"""Random material: invented names and words, numbers, dates, prices, and picks from the lists."""
import zlib

import words as W


def crc(*parts):
    return zlib.crc32("|".join(map(str, parts)).encode())


def cap(s):
    return s[:1].upper() + s[1:]


NARROW = .4                   # of the worlds have names of few syllables
PIECES = []                   # of the vocabulary, as text, once know_pieces was called


def know_pieces(sp):
    """From now on some words are put together of any pieces of the vocabulary, so that none stays unknown to the model."""
    texts = (sp.id_to_piece(i).replace("\u2581", "") for i in range(sp.get_piece_size()) if not (sp.is_byte(i) or sp.is_control(i) or sp.is_unknown(i)))
    PIECES[:] = sorted({t for t in texts if t.isalpha()})


class World:
    """Slots filled at random; the splits 'train' and 'eval' never share an invented name, and no world uses one twice."""

    LISTS = {"j": W.JOBS, "a": W.ANIMALS, "f": W.FOODS, "i": W.ITEMS, "l": W.PLACES, "b": W.MATERIALS, "g": W.GOODS, "P": W.PLURALS,
             "e": W.INSTRUMENTS, "v": W.VEHICLES, "c": W.COLORS, "A": W.ATTRS, "J": W.ADJ, "N": W.NOUNS, "D": W.DAYS, "B": W.ADV}

    def __init__(self, rng, split="train"):
        self.r, self.split, self.seen = rng, split, set()
        self.known = []                       # people and places met before in this world
        self.short = rng.random() < .3        # how long its words tend to be
        self.memory = rng.choice((0, 0, .15, .35, .5))
        few = rng.random() < NARROW           # then names share their syllables, and only whole names tell them apart
        self.sounds = [rng.sample(sounds, min(len(sounds), rng.randint(*most))) if few else sounds
                       for sounds, most in ((W.ONSET, (4, 9)), (W.VOWEL, (3, 5)), (W.CODA, (2, 4)))]

    def syllables(self, n):
        r, (onset, vowel, coda) = self.r, self.sounds
        return "".join(r.choice(onset) + r.choice(vowel) + (r.choice(coda) if r.random() < .35 else "") for _ in range(n))

    def word(self):
        if PIECES and self.split == "train" and self.r.random() < .15:
            w = self.odd()
            if len(w) > 3 and w.islower() and w not in self.seen and crc(w) % 10:
                self.seen.add(w)
                return w
        for most in range(999):
            w = self.syllables(self.r.choice((1, 2, 2, 2, 3) if not self.short else (1, 1, 2, 2)) + most // 99)
            if len(w) > 3 and w not in self.seen and (crc(w) % 10 == 0) == (self.split == "eval"):
                self.seen.add(w)
                return w
        raise RuntimeError("no new word")

    def odd(self):
        """A word of any pieces, or one of syllables where none are known."""
        if not PIECES:
            return self.word()
        return "".join(self.r.choice(PIECES) for _ in range(self.r.choice((1, 1, 2, 2, 3))))

    def name(self):
        return cap(self.word())

    def number(self):
        r = self.r
        n = r.randint(*r.choice(((2, 99), (2, 99), (100, 999), (1000, 9999), (10000, 99999), (100000, 9999999))))
        if n > 9999 and r.random() < .5:
            return f"{n:,}"
        if n < 1000 and r.random() < .12:
            return f"{n}.{r.randint(1, 99)}"
        return str(n)

    def person(self):
        r = self.r
        first = r.choice(W.FIRST) if r.random() < .55 else self.name()
        x = r.random()
        if x < .12 and first not in W.FIRST:
            return first
        if x < .2:
            return r.choice(("Dr", "Mrs", "Mr", "Captain", "Professor", "Aunt", "Judge", "Sister", "Baron")) + " " + self.name()
        if x < .28:
            return f"{first} {r.choice('ABCDEFGHJKLMNPRSTW')}. {self.name()}" if r.random() < .5 else f"{first} {r.choice(('de', 'van', 'von', 'di'))} {self.name()}"
        return f"{first} {r.choice(W.LAST) if x < .36 and first not in W.FIRST else self.name()}"

    def date(self):
        r = self.r
        day, month, year = r.randint(1, 31), r.choice(W.MONTHS), r.randint(1700, 2040)
        m = W.MONTHS.index(month) + 1
        return r.choice((f"{day} {month} {year}", f"{day} {month} {year}", f"{month} {day}", f"{month} {day}, {year}", f"{year}-{m:02}-{day:02}",
                         f"{day}.{m}.{year}", f"{month} {year}", f"{day:02}/{m:02}/{year}"))

    def code(self):
        r = self.r
        letters = lambda n: "".join(r.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(n))
        return r.choice((lambda: f"{letters(1)}{r.randint(10, 9999)}", lambda: f"{letters(2)}-{r.randint(10, 9999)}",
                         lambda: f"{self.word()}{r.randint(2, 9999)}", lambda: f"{self.word().upper()[:5]}-{r.randint(1, 999)}",
                         lambda: str(r.randint(1000, 9999999)), lambda: f"{r.randint(10, 99)}-{r.randint(100, 999)}-{letters(2)}",
                         lambda: letters(r.randint(3, 5)), lambda: f"{self.word()}-{self.word()}", lambda: f"#{r.randint(10, 99999)}"))()

    def organisation(self):
        w = self.name()
        return self.r.choice(("{} Ltd", "{} Works", "the {} Institute", "{}", "{}", "{} Bank", "the {} Museum", "{} & Sons", "the {} Company",
                              "{} Group", "{} Airlines", "the {} Club", "the {} Foundation", "{} Motors", "{} Foods", "the University of {}",
                              "{} Partners", "the {} Office", "{} Inc", "the {} Orchestra", "Hotel {}", "Radio {}")).format(w)

    def make(self, k):
        r = self.r
        if k in self.LISTS:
            return r.choice(self.LISTS[k])
        if k == "p":
            return self.person()
        if k == "t":
            return self.name() + r.choice(W.ENDS)
        if k == "o":
            return self.organisation()
        if k == "W":
            return self.name() if r.random() < .85 else self.name() + " " + r.choice((self.name(), str(r.randint(2, 99)), cap(r.choice(W.NOUNS))))
        if k == "w":
            return self.word()
        if k == "n":
            return self.number()
        if k == "s":
            return r.choice((str(r.randint(2, 60)), str(r.randint(2, 60)), str(r.randint(2, 20)),
                             r.choice("two three four five six seven eight nine ten eleven twelve twenty thirty forty".split())))
        if k == "y":
            return str(r.randint(1400, 2060))
        if k == "d":
            return self.date() if r.random() < .8 else r.choice(W.DAYS) + r.choice(("", " morning", " evening", ", " + self.date()))
        if k == "h":
            return r.choice((f"{r.randint(1, 12)} o'clock", f"{r.randint(0, 23)}:{r.randint(0, 59):02}", f"{r.randint(0, 23)}:{r.randint(0, 59):02}",
                             f"half past {r.choice('one two three four five six seven eight nine ten'.split())}", "noon", "midnight",
                             f"{r.randint(1, 12)} pm", f"{r.randint(1, 12)}:{r.choice('0134')}5 am"))
        if k == "m":
            return r.choice(("${}", "{} euros", "{} dollars", "{} crowns", "€{}", "{} pounds", "{} francs", "£{}", "{} cents", "{} pesos")).format(self.number())
        if k == "u":
            return self.number() + " " + r.choice(W.UNITS)
        if k == "k":
            return self.code()
        if k == "z":
            return r.choice((str(r.randint(100000, 9999999)), f"0{r.randint(10, 999)} {r.randint(10000, 999999)}", f"+{r.randint(1, 99)} {r.randint(100, 999)} {r.randint(1000, 9999)}"))
        if k == "V":                           # any value
            return self.make(r.choice("pWwnyduktcmhisJbz"))
        if k == "O":                           # a thing that is told apart
            return "the " + r.choice((lambda: r.choice(W.ITEMS) + " " + self.name(), lambda: r.choice(W.ADJ) + " " + r.choice(W.ITEMS),
                                      lambda: r.choice(W.ITEMS), lambda: self.word(), lambda: r.choice(W.COLORS) + " " + r.choice(W.ITEMS),
                                      lambda: r.choice(W.MATERIALS) + " " + r.choice(W.ITEMS), lambda: r.choice(W.NOUNS)))()
        if k == "L":
            return r.choice((lambda: "the " + r.choice(W.PLACES), lambda: self.make("t"), lambda: f"the {r.choice(W.PLACES)} of {self.make('t')}"))()
        if k == "X":                           # anything that can have attributes
            return self.make(r.choice("ppttWWWowOO"))
        raise KeyError(k)

    def get(self, slot):
        """The slot's first letter is its kind (p, p2: two people). Names now and then come back, as in a text about somebody."""
        k = slot[0]
        if k in "ptoW" and self.known and self.r.random() < self.memory:
            again = [v for kind, v in self.known if kind == k]
            if again:
                return self.r.choice(again)
        value = self.make(k)
        if k in "ptoW":
            self.known.append((k, value))
        return value
