"""Lines of the kinds of documents that people have: manuals, recipes, contracts, logs, tables, news, letters, talk, other languages; and
sentences that hold two facts."""
import words as W
from facts import Fact, make_fact
from world import cap


def option(w):
    r = w.r
    long, verb, n = w.word(), r.choice(W.VERBS), r.choice(W.NOUNS)
    tail = r.choice(("", f" {r.choice(W.ADV[:18])}", f" ({w.number()} when not given)", f" before the {r.choice(W.NOUNS)}", f" without asking"))
    text = r.choice((f"--{long}: {verb} the {n}{tail}.", f"-{long[0]}, --{long} {n.upper()}  {verb} the {n}{tail}", f"The option --{long} {W.third(verb)} the {n}{tail}.",
                     f"With --{long} the {n} is {W.participle(verb)}{tail}.", f"{long}()  {W.third(verb)} the {n}{tail}.", f"{long} = {w.number()}  # {verb} the {n}"))
    return Fact(text, [f"What does --{long} do?", f"What is {long} for?", f"What does the option {long} do?", f"Explain {long}.", f"What does {long} do?"], words=(long,))


def step(w):
    r = w.r
    f, n, unit, verb = w.get("f"), w.get("s"), r.choice(("grams", "spoons", "cups", "pinches", "litres", "slices", "drops", "ounces")), r.choice(W.VERBS)
    dish = w.word()
    text = r.choice((f"Add {n} {unit} of {f} to the {dish} and {verb} it for {w.get('s')} minutes.", f"{cap(n)} {unit} of {f} for the {dish}", f"Take {n} {unit} of {f} for the {dish}.",
                     f"Then {verb} the {dish} with {n} {unit} of {f}.", f"The {dish} wants {n} {unit} of {f}, no more.", f"{cap(verb)} the {dish} gently, then stir in {n} {unit} of {f}."))
    return Fact(text, [f"How much {f} goes into the {dish}?", f"How many {unit} of {f} does the {dish} need?", f"What goes into the {dish}?", f"How much {f} for the {dish}?", f"What does the {dish} need?"],
                words=(dish,))


def clause(w):
    r = w.r
    who, verb, n, m = r.choice(("tenant", "seller", "buyer", "employer", "customer", "supplier", "member", "borrower", "owner", "contractor", "licensee", "agent")), r.choice(W.VERBS), r.choice(W.NOUNS), r.choice(W.NOUNS)
    term = f"{w.get('s')} {r.choice(('days', 'weeks', 'months', 'hours', 'years'))}"
    text = r.choice((f"The {who} shall {verb} the {n} within {term} of the {m}.", f"Within {term} of the {m} the {who} must {verb} the {n}.", f"The {who} may {verb} the {n} only after {term}, unless the {m} is {r.choice(W.ADJ)}.",
                     f"If the {who} fails to {verb} the {n}, a fee of {w.get('m')} is due.", f"Notice to {verb} the {n} is given by the {who} {term} in advance.", f"No {who} shall {verb} the {n} without the {m}."))
    return Fact(text, [f"What must the {who} do about the {n}?", f"When must the {who} {verb} the {n}?", f"What does the contract say about the {n}?", f"May the {who} {verb} the {n}?",
                       f"Who must {verb} the {n}?", f"What about the {who} and the {n}?"], words=(n, f"the {n} and the {who}"), free=(n, verb, who))


def log(w):
    r = w.r
    h, part, n = f"{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}", w.word(), r.choice(W.NOUNS)
    done = W.participle(r.choice(W.VERBS))
    level = r.choice(("ERROR", "WARN", "INFO", "error", "note", "FATAL", "DEBUG"))
    text = r.choice((f"{h} {level} {part}: {n} {done}", f"[{h}] {part}: the {n} was {done}", f"{h} {part} {done} {n} {w.number()}", f"{part}: {level}: cannot find {n} {w.code()}"))
    asks = [f"What did {part} report?", f"What does the log say about {part}?", f"What happened to {part}?", f"Which line is about {part}?"]
    return Fact(text, asks + ([f"What happened at {h}?"] if h in text else []), words=(part,))


def row(w):
    r = w.r
    x, sep = w.get(r.choice("WptW")), r.choice((" | ", ", ", "; ", "  ", " - ", ": "))
    cells = [w.get(r.choice("nmudkcsyWg")) for _ in range(r.choice((1, 2, 2, 3)))]
    text = sep.join([x] + cells)
    text = f"| {text} |" if sep == " | " and r.random() < .6 else text
    return Fact(text, [f"What does the table say about {x}?", f"What is listed for {x}?", f"Which row is {x} in?", f"What about {x}?", f"What is given for {x}?", f"{x}?"], words=(x,))


def news(w):
    r = w.r
    p, verb, n, t = w.get("p"), r.choice(W.VERBS), r.choice(W.NOUNS), w.get("t")
    done, past = W.participle(verb), W.past(verb)
    text = r.choice((f"{p}, {r.randint(18, 90)}, a {w.get('j')} from {t}, was {done} on {w.get('D')} after {W.gerund(r.choice(W.VERBS))} the {n}.", f"The {n} of {t} was {done} last night, police said on {w.get('D')}.",
                     f"{t}: The council {past} the {n} by {r.randint(5, 40)} votes to {r.randint(0, 30)}.", f"Residents of {t} complained on {w.get('D')} that the {n} had been {done} without {W.gerund(r.choice(W.VERBS))} the {r.choice(W.NOUNS)}.",
                     f"The {r.choice(W.ADJ)} {n}, which {p} {past} in {w.get('y')}, will be shown in {t} until {w.get('d')}.", f'"We never {past} the {n}," said {p} of {t}, who has {past} nothing since {w.get("y")}.',
                     f"More than {w.number()} people came to {t} to see {p} {verb} the {n}, although the {r.choice(W.NOUNS)} had been {W.participle(r.choice(W.VERBS))}."))
    asks = [f"What about the {n} in {t}?", f"What happened in {t}?", f"What do we read about {t}?"] if t in text else []
    asks += [f"What happened to {p}?", f"What do we read about {p}?", f"Who is {p}?"] if p in text else []
    return Fact(text, asks, words=tuple(x for x in (t, p, n) if x in text), free=(t, p, n))


def letter(w):
    r = w.r
    p, verb, n, d = w.get("p"), r.choice(W.VERBS), r.choice(W.NOUNS), w.get("d")
    text = r.choice((f"I am writing to tell you that the {n} has been {W.participle(verb)} by {p}.", f"Please {verb} the {n} and send it to {p} before {d}.", f"We met {p} on {d} and {W.past(verb)} the {n}.",
                     f"As you know, {p} wants to {verb} the {n} on {d}.", f"My {r.choice(('aunt', 'uncle', 'brother', 'doctor', 'lawyer', 'neighbour'))} {p} {W.past(verb)} the {n} again.", f"Thank you for the {n}, which {p} likes to {verb}.",
                     f"P.S. Do not let {p} {verb} the {n}.", f"{p}: I {W.past(verb)} the {n} this morning.", f"{p}: Could you {verb} the {n} for me?", f'{p} asked: "Did you {verb} the {n}?"'))
    return Fact(text, [f"What does the letter say about {p}?", f"What about the {n}?", f"What is {p} said to do?", f"Who has to do with the {n}?", f"What about {p} and the {n}?"], words=(p, n), free=(p, n, verb))


def foreign(w):
    r = w.r
    p, x, n, t, y = w.get("p"), w.get("W"), w.number(), w.get("t"), w.get("y")
    text = r.choice((f"{p} wohnt seit {y} in {t}.", f"Der Hund von {p} heißt {x}.", f"{p} hat {n} Bücher geschrieben.", f"Die Stadt {t} hat {n} Einwohner.", f"Das Haus von {p} wurde {y} gebaut.",
                     f"{p} habite à {t} depuis {y}.", f"Le chien de {p} s'appelle {x}.", f"La ville de {t} compte {n} habitants.", f"{p} a acheté {n} livres à {t}.", f"Le pont de {t} date de {y}.",
                     f"{p} vive en {t} desde {y}.", f"El perro de {p} se llama {x}.", f"La ciudad de {t} tiene {n} habitantes.", f"{p} abita a {t} dal {y}.", f"Il cane di {p} si chiama {x}.", f"{p} woont sinds {y} in {t}.",
                     f"{p} bor i {t} sedan {y}.", f"{p} mieszka w {t} od {y} roku.", f"{t} wurde {y} von {p} gegründet.", f"{p} a écrit {x} en {y}.", f"Der Zug nach {t} fährt um {w.get('h')} Uhr."))
    keys = [k for k in (p, x, t) if k in text]
    return Fact(text, [q.format(k) for k in keys for q in ("What is said about {}?", "What does the text say about {}?", "Which sentence mentions {}?", "Was steht über {}?", "{}?")], words=keys)


def compound(w):
    """Two facts in one sentence; each question about one of them has the whole for an answer."""
    r = w.r
    a, b = make_fact(w), make_fact(w)
    x, y = a.sentence.rstrip("."), b.sentence.rstrip(".")
    y = y[0].lower() + y[1:] if y.split()[0] in ("The", "A", "An", "It", "In", "On", "At", "As", "For", "There") else y
    text = r.choice((f"{x}, and {y}.", f"{x}; {y}.", f"{x}, but {y}.", f"{x}, while {y}.", f"{x}, although {y}.", f"{x}, whereas {y}.", f"{x} ({y}).", f"{x}, so {y}.", f"{x}: {y}."))
    return Fact(text, a.questions + b.questions)


MAKERS = {option: 3, step: 3, clause: 3, log: 2, row: 3, news: 4, letter: 3, foreign: 2, compound: 6}


def genre_fact(w):
    return w.r.choices(list(MAKERS), list(MAKERS.values()))[0](w)


def page(w):
    """One or two of these kinds for a whole block."""
    two = w.r.sample(list(MAKERS), w.r.choice((1, 2, 3)))
    return lambda w: w.r.choice(two)(w)
