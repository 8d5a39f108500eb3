"""Blocks: sentences put together in the ways of real documents, with metadata, and the index that tells whether a question has one answer."""
import re

import words as W
from facts import make_fact
from freetext import ABOUT, FUNCTION, free_fact, known_fact, prose_fact
from genres import genre_fact, page
from world import World, cap

# what a document is mostly made of: shares of (named facts, known things, free sentences, prose, lines of some kind of document)
MIXES = [(6, 1, 2, 1, 1), (8, 1, 1, 0, 0), (3, 1, 5, 1, 1), (2, 0, 2, 6, 1), (1, 1, 1, 0, 0), (4, 0, 1, 4, 2), (10, 0, 0, 0, 1), (2, 5, 2, 1, 0), (5, 1, 3, 2, 2), (1, 0, 1, 0, 8), (3, 0, 1, 1, 6)]
VAGUE = re.compile(r"What do we know|What happened|Who is [^?]*\?|What is [A-Z]|What does [^?]* do\?|What about")
ASKING = set("does said text tell about what know find quote sentence mentions document documents line give something anything learn written mentioned words".split())
FIRM = ("The", "A", "An", "In", "On", "At", "By", "To", "For", "From", "With", "Between", "If", "When", "There", "Use", "You", "Please", "We", "Our", "It", "One", "Some", "Every",
        "No", "All", "As", "What", "Because", "Without", "Near", "First", "Never", "Wait", "Nobody", "They", "Its", "Visitors", "Before", "Neither")


def words_of(text):
    return set(re.findall(r"[^\W_]+", text.lower()))


class Item:
    """A fact in its place: what the document says, word for word, in which document, at which character of its text, whether a line
    begins with it; and the names in it, with their kinds."""
    __slots__ = ("fact", "said", "doc", "number", "bare", "at", "names")

    def __init__(self, fact, said, doc, number, names):
        self.fact, self.said, self.doc, self.number, self.bare, self.at, self.names = fact, said, doc, number, False, 0, names


class Library:
    """The documents of a conversation, all their facts, and which words stand in which sentence."""

    def __init__(self, w):
        self.w, self.docs, self.items, self.asked, self.free, self.index, self.count = w, [], [], set(), set(), {}, 0

    def enter(self, sentence):
        for word in words_of(sentence):
            self.index.setdefault(word, set()).add(self.count)
        self.count += 1

    def unique(self, question, number):
        """Whether the words that question and sentence share stand together nowhere else."""
        key = [self.index[x] for x in words_of(question) - FUNCTION - ASKING if number in self.index.get(x, ())]
        return bool(key) and len(set.intersection(*key)) == 1

    def fits(self, fact):
        """No question of it is answered already."""
        if any(q in self.asked for q in fact.questions) or not (fact.questions or fact.words):
            return False
        return not (fact.free and len(fact.free) == 2 and any(x in self.free for x in fact.free))

    def add(self, fact, said, doc, names):
        self.asked.update(fact.questions)
        if len(fact.free) == 2:
            self.free.update(fact.free)
        self.items.append(Item(fact, said, doc, self.count, names))
        self.enter(said)

    def question(self, item):
        """One question that only this item answers, or None."""
        r, f = self.w.r, item.fact
        for _ in range(6):
            if f.words and (not f.questions or r.random() < .45):
                x = r.choice(f.words)
                if r.random() < .25 and len(f.words) > 1:
                    x = x + " and " + r.choice(f.words)
                x = x.lower() if r.random() < .8 or not f.free else x
                x = "the " + x if r.random() < .5 and not x.startswith("the ") and len(f.words) < 4 else x
                q = r.choice(ABOUT).format(X=x)
            else:
                q = r.choice(f.questions)
            if (not f.free and not VAGUE.match(q)) or self.unique(q, item.number):
                return q[0].upper() + q[1:]
        return None

    def absent(self):
        """A question that the documents do not answer, or None: of a new fact, or of a known subject in another matter."""
        r = self.w.r
        if r.random() < .35:
            f, _, new = twin(self.w, r.choice(self.items))
            asks = [q for q in f.questions if q not in self.asked and any(x in q for x in new)] if f and not f.free else []
            if asks:
                return cap(r.choice(asks))
        for _ in range(8):
            maker = r.choices((make_fact, known_fact, free_fact), (6, 1, 2))[0]
            self.w.memory, kept = (.8 if r.random() < .3 else 0), self.w.memory
            f = maker(self.w)
            self.w.memory = kept
            if any(q in self.asked for q in f.questions):
                continue
            q = r.choice(ABOUT).format(X="the " + r.choice(f.words)) if f.words and r.random() < .4 else r.choice(f.questions)
            if VAGUE.match(q) and self.w.memory:
                continue
            if f.free or maker is known_fact or "{" in q:
                new = [x for x in words_of(q) - FUNCTION - ASKING if not any(x in self.index or x + e in self.index or x[:-1] in self.index for e in ("s", ""))]
                if not new:
                    continue
            return cap(q)
        return None


def metadata(w):
    r = w.r
    site = (w.word() if r.random() < .8 else r.choice(W.NOUNS)) + r.choice((".com", ".org", ".net", ".example", ".site", ".info", ".co.uk", ".de", ".io"))
    pool = {
        "date": lambda: f"{r.randint(1900, 2035)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}" if r.random() < .9 else w.date(),
        "url": lambda: r.choice((f"https://{site}/{r.randint(1, 9999)}", f"https://{site}/{w.word()}", f"https://www.{site}/{w.word()}/{r.randint(1, 99)}",
                                 f"https://{site}/{w.word()}.html", f"http://{site}/{r.choice(W.NOUNS)}/{w.word()}", f"https://{site}")),
        "file": lambda: r.choice((w.word(), r.choice(W.NOUNS), f"{r.choice(W.NOUNS)}-{r.choice(W.NOUNS)}", f"docs/{w.word()}", f"{w.word()}_{r.randint(1, 99)}"))
        + r.choice((".txt", ".txt", ".md", ".html", ".log", ".pdf", ".c", ".csv", ".docx")),
        "title": lambda: r.choice((f"The {r.choice(W.NOUNS)} of {w.get('t')}", f"{w.name()} news", f"About the {r.choice(W.NOUNS)}", f"Report {r.randint(1, 99)}", f"{w.name()} and the {r.choice(W.NOUNS)}",
                                   f"A guide to {w.name()}", f"Minutes of {w.date()}", f"Letter to {w.get('p')}", f"Life in {w.get('t')}", f"{cap(r.choice(W.ADJ))} {r.choice(W.NOUNS)}s")),
        "author": lambda: w.get("p"), "page": lambda: str(r.randint(1, 400)), "section": lambda: r.choice((str(r.randint(1, 20)), f"{r.randint(1, 9)}.{r.randint(1, 9)}", w.name())),
        "part": lambda: str(r.randint(1, 9)), "id": lambda: w.get("k"), "chapter": lambda: str(r.randint(1, 40)), "publisher": lambda: w.get("o"), "from": lambda: w.get("p"),
        "line": lambda: str(r.randint(1, 3000)), "version": lambda: f"{r.randint(0, 9)}.{r.randint(0, 20)}",
    }
    x = r.random()
    if x < .3:
        keys = ["date", "url"]
        if r.random() < .3:
            keys.reverse()
    elif x < .5:
        keys = ["file"] + r.sample(["date", "page", "section", "part", "title", "line"], r.choice((0, 0, 1, 2)))
    elif x < .56:
        keys = [r.choice(("id", "url", "title", "author"))]
    else:
        keys = r.sample(list(pool), r.choice((1, 2, 2, 3, 3, 4, 5, 7)))
    return {k: pool[k]() for k in keys}


def some_leads(w):
    """What the sentences of a document may begin with, and the share of those that do. Where they are few, many sentences begin alike."""
    r, leads = w.r, [x + ", " for x in W.LEADS] + [x + " " for x in W.SAYS]
    return r.sample(leads, min(len(leads), r.choice((1, 2, 4, 999)))), r.choice((0, .05, .1, .2, .5))


def dress(w, s, leads, share):
    """As the earlier report says, the sentence; and a tail now and then."""
    r = w.r
    if r.random() < share and ":" not in s:
        s = r.choice(leads) + (s[0].lower() + s[1:] if s.split()[0] in FIRM else s)
    if r.random() < .06 and s.endswith("."):
        s = s[:-1] + r.choice(W.TAILS) + "."
    return s


def heading(w):
    r = w.r
    name = r.choice((w.name(), cap(r.choice(W.NOUNS)), f"The {r.choice(W.NOUNS)} of {w.name()}", f"{cap(r.choice(W.NOUNS))} and {r.choice(W.NOUNS)}", r.choice(W.NOUNS).upper()))
    return r.choice(("# ", "", "== ", "## ", "")) + name + r.choice(("\n", "\n\n"))


def put_together(w, sentences):
    r, x = w.r, w.r.random()
    title = heading(w) if r.random() < .1 else ""
    if x < .58:
        out, size, headed = [], r.choice((0, 0, 3, 5, 8)), r.random() < .3
        for n, s in enumerate(sentences):
            gap = "" if not n else "\n\n" if size and n % size == 0 else " " if sentences[n - 1][-1] in ".?!" else "\n"
            gap += heading(w) if "\n\n" in gap and headed else ""
            out.append(gap + s)
        return title + "".join(out)
    if x < .76:
        return title + "\n".join(sentences)
    if x < .88:
        return title + "\n\n".join(sentences)
    mark = r.choice(("- ", "* ", "{}. ", "{}) ", "§{} ", "  "))
    return title + "\n".join(mark.format(n + 1) + s for n, s in enumerate(sentences))


def wrap(text, width, indent):
    """Lines of at most so many columns, each indented; -> the text, and where each character went."""
    out, where, column = [], [], 0
    put = lambda x: out.extend(x)
    for m in re.finditer(r"\S+|\s", text):
        t = m.group()
        if t == " " and column:
            follows = re.match(r"\S*", text[m.end():]).group()
            t = "\n" if column + 1 + len(follows) > width else t
        if t == "\n":
            column = 0
        else:
            put(indent if not column else "")
            column += len(t)
        where += range(len(out), len(out) + len(t))
        put(t)
    return "".join(out), where


def twin(w, item):
    """-> the same fact of others: its names (or, of a free sentence, a word) and numbers changed, and their names, and those
    that are new; None where that cannot be done."""
    r, f = w.r, item.fact
    names = r.sample(item.names, r.randint(1, len(item.names))) if item.names else [("N", r.choice(f.free))] if len(f.free) == 2 else []
    if not names or not f.questions:
        return None, None, None
    swap, numbers = {old: w.make(kind) for kind, old in names}, {}

    def number(m):
        low, high = {1: (1, 9), 2: (10, 28), 4: (1500, 2040)}.get(len(m.group()), (10 ** (len(m.group()) - 1), 10 ** len(m.group()) - 1))
        return numbers.setdefault(m.group(), str(r.randint(low, high)))

    def put(s):
        for old, new in swap.items():
            s = s.replace(old, new).replace(cap(old), cap(new))
        return re.sub(r"\d+", number, s)

    fact = type(f)(put(f.sentence), [put(q) for q in f.questions], tuple(put(x) for x in f.words), tuple(put(x) for x in f.free))
    return fact, [(kind, swap.get(old, old)) for kind, old in item.names], list(swap.values())


def add_documents(library, blocks, count):
    """So many blocks with so many facts together; -> the documents added."""
    w, r, added = library.w, library.w.r, []
    mix = r.choice(MIXES)
    for b in range(blocks):
        if r.random() < .3:
            mix = r.choice(MIXES)
        makers = (make_fact, known_fact, free_fact, prose_fact, genre_fact if r.random() < .4 else page(w))
        doc, lines, tries = {"meta": metadata(w)}, [], 0
        leads = some_leads(w)
        n = max(1, int(count * r.uniform(.4, 1.6) / blocks) if blocks > 1 else count)
        alike = r.choice((0, 0, .25, .5, .75))                                # the share of facts like one that is there, of others
        while len(lines) < n and tries < 3 * n + 9:
            tries += 1
            known, f = len(w.known), None
            if library.items and r.random() < alike:
                f, names, _ = twin(w, r.choice(library.items[-40:]))
            if f is None:
                f = r.choices(makers, mix)[0](w)
                names = [x for x in dict.fromkeys(w.known[known:]) if x[1] in f.sentence]
            if not library.fits(f):
                continue
            said = dress(w, f.sentence, *leads) if f.sentence[-1] == "." and len(f.free) < 3 else f.sentence
            library.add(f, said, doc, names)
            lines.append(said)
        text, where, at = put_together(w, lines), None, 0
        doc["text"] = text
        if r.random() < .1:
            doc["text"], where = wrap(text, r.choice((46, 56, 64, 70, 76)), r.choice(("", "", "  ", "    ", "       ")))
        for item in library.items[len(library.items) - len(lines):]:
            begin = text.index(item.said, at)
            at = begin + len(item.said)
            if where:
                begin, item.said = where[begin], doc["text"][where[begin]:where[at - 1] + 1]
            item.at, item.bare = begin, begin == 0 or doc["text"][begin - 1] == "\n"
        library.docs.append(doc)
        added.append(doc)
    return added


def blocks_text(docs):
    out, at = [], 0
    for d in docs:
        head = "".join(f"{k}: {v}\n" for k, v in d["meta"].items())
        out.append(f"BEGININPUT\nBEGINCONTEXT\n{head}ENDCONTEXT\n{d['text']}\nENDINPUT\n")
        d["meta_at"] = at + len("BEGININPUT\nBEGINCONTEXT")     # the line break in front belongs to it
        d["meta_end"] = d["meta_at"] + len(head)
        d["text_at"] = d["meta_end"] + len("\nENDCONTEXT\n")
        at += len(out[-1])
    return "".join(out)


def library(rng, split="train"):
    return Library(World(rng, split))
