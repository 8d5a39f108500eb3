"""Facts: one sentence each, and the questions it answers. Made by a small grammar of verbs, roles, attributes, numbers and times."""
import re

import words as W
from world import cap

# subject slot, verb, preposition, object slot; "q" tells how the object is asked for
PREPOSITIONAL = [r.split() for r in (
    "p live in t where;p work for o whom;p work in t where;p come from t where;p belong to o what;p look after O what;p wait for p2 whom;"
    "p travel to t where;p suffer from w what;p dream of g what;p depend on p2 whom;p care for a2 what;p believe in w what;"
    "p apply for w what;p complain about O what;p write about N what;p talk about P what;p laugh at p2 whom;p vote for p2 whom;"
    "p argue with p2 whom;p agree with p2 whom;p play for o whom;p train with p2 whom;p sleep in l2 where;p hide in l2 where;"
    "p stay at o where;p lecture at o where;p retire to t where;p move to t where;p flee from t where;p specialise in w what;"
    "p report to p2 whom;p answer to p2 whom;p trade in g what;p deal in g what;p swear by f what;p live on f what;p hope for w what;"
    "p insist on f what;p pay for O what;p search for O what;p care about N what;p bet on W what;p descend from p2 whom;"
    "o specialise in g what;o depend on o2 what;o merge with o2 what;o move to t where;o invest in w what;o deal with p whom;"
    "W flow into W2 where;W run through t where;W lead to t where;W border on W2 what;W rhyme with w what;W consist of b what;"
    "W run on w what;W connect to W2 what;W belong to p whom;W react with b what;W feed on P what;W grow in t where;W translate into W2 what;"
    "O belong to p whom;O come from t where;O consist of b what;O stand in L where;O lie in L where;O hang in L where;O smell of f what;"
    "O lead to L where;O fit into O2 what;O run on w what;O taste of f what;O look like O2 what;P come from t where;P grow in t where;"
    "P live in t where;P smell of f what;P live on f what;P sleep in l2 where").split(";")]

# things p can be of x
ROLES = ("mayor owner captain treasurer cousin patron bookkeeper guardian secretary manager editor architect conductor director chairman "
         "gardener doctor lawyer teacher rival friend enemy nephew niece uncle aunt neighbour landlord tenant agent spokesman founder "
         "inventor discoverer author translator composer painter king queen ruler ambassador consul bishop coach goalkeeper champion "
         "president minister governor sheriff judge warden keeper cook pilot driver mechanic designer publisher sponsor buyer seller "
         "owner heir godmother grandmother brother sister son daughter wife husband boss assistant student apprentice mentor "
         "bodyguard butler hairdresser dentist supplier partner successor predecessor leader curator librarian organist").split()

COUNTED = ("children rooms windows doors floors members employees pages chapters moons islands bridges towers inhabitants students wheels legs "
           "teeth wings seats tables lamps horses cows sheep bees ships lorries planes shops schools churches parks lakes rivers gates "
           "keys buttons strings pedals drawers shelves books stamps coins medals goals points votes patients beds nurses engines gears "
           "cylinders layers colours corners sides tracks songs verses acts scenes players fans branches offices factories languages "
           "brothers sisters cousins grandchildren cats dogs hens trees roses vines barrels bottles").split()

MEASURED = [  # verb phrase, noun, question
    ("{x} weighs {q}", "weight", "How much does {x} weigh?", "How heavy is {x}?", ("kg", "tons", "grams", "pounds")),
    ("{x} is {q} long", "length", "How long is {x}?", "What length does {x} have?", ("metres", "km", "cm", "feet")),
    ("{x} is {q} high", "height", "How high is {x}?", "How tall is {x}?", ("metres", "feet", "cm")),
    ("{x} is {q} wide", "width", "How wide is {x}?", "How broad is {x}?", ("metres", "cm", "inches")),
    ("{x} is {q} deep", "depth", "How deep is {x}?", "How deep does {x} go?", ("metres", "feet", "fathoms")),
    ("{x} is {q} old", "age", "How old is {x}?", "What age is {x}?", ("years", "months", "days")),
    ("{x} lasts {q}", "duration", "How long does {x} last?", "How long does {x} take?", ("hours", "minutes", "days", "weeks")),
    ("{x} costs {q}", "price", "How much does {x} cost?", "How much is {x}?", "m"),
    ("{x} sells for {q}", "price", "What does {x} sell for?", "How much is {x}?", "m"),
    ("{x} covers {q}", "area", "How large is {x}?", "How much ground does {x} cover?", ("hectares", "acres", "square metres")),
    ("{x} holds {q}", "capacity", "How much does {x} hold?", "How much fits into {x}?", ("litres", "gallons", "cups", "barrels")),
    ("{x} reaches {q}", "speed", "How fast is {x}?", "How fast does {x} go?", ("km an hour", "knots", "miles an hour")),
    ("{x} runs at {q}", "voltage", "At what voltage does {x} run?", "What does {x} run at?", ("volts", "kilovolts")),
    ("{x} melts at {q}", "melting point", "At what temperature does {x} melt?", "When does {x} melt?", ("degrees",)),
    ("{x} is {q} from here", "distance", "How far is {x}?", "How far away is {x}?", ("km", "miles", "steps")),
    ("{x} earns {q}", "income", "How much does {x} earn?", "What does {x} earn?", "m"),
    ("{x} owes {q}", "debt", "How much does {x} owe?", "What does {x} owe?", "m"),
]

TIMED = [  # what happens to x, the noun for it
    ("was founded", "founding", "o"), ("was built", "construction", "O"), ("was released", "release", "W"), ("was destroyed", "destruction", "O"),
    ("was elected", "election", "p"), ("was born", "birth", "p"), ("died", "death", "p"), ("opened", "opening", "o"), ("closed", "closing", "o"),
    ("began", "beginning", "W"), ("ended", "end", "W"), ("was discovered", "discovery", "W"), ("was invented", "invention", "w"),
    ("was published", "publication", "W"), ("was signed", "signing", "W"), ("arrived", "arrival", "p"), ("left", "departure", "p"),
    ("was married", "wedding", "p"), ("retired", "retirement", "p"), ("was hired", "hiring", "p"), ("was arrested", "arrest", "p"),
    ("was launched", "launch", "W"), ("was repaired", "repair", "O"), ("was sold", "sale", "O"), ("was cancelled", "cancellation", "W"),
    ("was painted", "painting", "O"), ("expires", "expiry", "W"), ("starts", "start", "W"), ("was stolen", "theft", "O"), ("sank", "sinking", "W"),
    ("crashed", "crash", "W"), ("was renamed", "renaming", "t"), ("joined", "entry", "p"), ("resigned", "resignation", "p"),
    ("was completed", "completion", "O"), ("was banned", "ban", "W"), ("moved out", "move", "p"), ("was tested", "test", "W")]
NOT_PAST = ("expires", "starts")


class Fact:
    """sentence: with its full stop; questions: what it answers; words: those that a question about the text may use."""
    __slots__ = ("sentence", "questions", "words", "free")

    def __init__(self, sentence, questions, words=(), free=()):
        self.sentence, self.questions = article(cap(sentence)), [article(cap(q)) for q in questions]
        self.words, self.free = words, free


def article(s):
    return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", s)


def have(subject):
    return "have" if subject[0] == "P" else "has"


def verb_fact(w):
    """Somebody does something to something: all orders of words, with a place, a day, a companion, a price."""
    r = w.r
    base = r.choice(W.VERBS) if r.random() < .92 else w.word()
    past, done = (W.past(base), W.participle(base))
    who = w.get(r.choice("ppppo")) if r.random() < .88 else "the " + r.choice(W.JOBS + W.ANIMALS)
    what = w.get(r.choice("OOOOOWWp")) if r.random() < .9 else r.choice(W.GOODS)
    extra, kind = r.choice((("", ""),) * 3 + ((f"in {w.get('t')}", "Where"), (f"on {w.get('d')}", "When"), (f"in {w.get('y')}", "When"),
                                            (f"with {w.get('p')}", "With whom"), (f"for {w.get('m')}", "For how much"), (f"at {w.get('h')}", "When"),
                                            (f"in the {w.get('l')}", "Where"), (f"with the {w.get('i')}", "With what"),
                                            (f"because of the {w.get('N')}", "Why"), (f"near {w.get('t')}", "Where")))
    e = " " + extra if extra else ""
    forms = [f"{who} {past} {what}{e}"] * 4 + [f"{what} was {done} by {who}{e}"] * 2
    forms += [f"{who} has {done} {what}{e}", f"it was {who} who {past} {what}{e}", f"what {who} {past}{e} was {what}",
              f"{who} will {base} {what}{e}", f"{who} is the one who {past} {what}{e}", f"{who} wanted to {base} {what}{e}"]
    if extra:
        forms += [f"{extra}, {who} {past} {what}"] * 3 + [f"{extra} {who} {past} {what}", f"{extra} {what} was {done} by {who}",
                  f"it was {extra} that {who} {past} {what}", f"{who}, {extra}, {past} {what}"]
    text = r.choice(forms)
    asks = [f"Who {past} {what}?", f"By whom was {what} {done}?", f"What did {who} {base}?", f"What was {done} by {who}?",
            f"Which person {past} {what}?", f"What happened to {what}?", f"What do we know about {what}?", f"Whom or what did {who} {base}?"]
    if " will " in text:
        asks = [f"Who will {base} {what}?", f"What will {who} {base}?", f"Who is going to {base} {what}?"]
    if " wanted " in text:
        asks = [f"Who wanted to {base} {what}?", f"What did {who} want to {base}?"]
    if kind and " will " not in text and " wanted " not in text:
        asks += [f"{kind} did {who} {base} {what}?"] * 2 + [f"{kind} was {what} {done}?", f"{kind} was {what} {done} by {who}?"]
    return Fact(text + ".", asks)


def prepositional_fact(w):
    r = w.r
    sub, base, prep, obj, kind = r.choice(PREPOSITIONAL)
    many = sub == "P"
    a, b = w.get(sub), w.get(obj)
    b = "the " + b if obj in ("a2", "l2", "N") else b
    tense = r.random()
    verb = base if many else W.third(base)
    did, ask = ("do" if many else "does"), base
    if tense < .25:
        verb, did = W.past(base) if base not in ("sleep", "flee", "come", "run", "lie", "stand", "bet", "swear", "grow") else {
            "sleep": "slept", "flee": "fled", "come": "came", "run": "ran", "lie": "lay", "stand": "stood", "bet": "bet", "swear": "swore",
            "grow": "grew"}[base], "did"
    tail = " " + r.choice(W.ADV) if r.random() < .2 else ""
    text = r.choice((f"{a} {verb} {prep} {b}{tail}", f"{a} {verb} {prep} {b}{tail}", f"{a} {verb} {prep} {b}", f"{prep} {b} {verb} {a}",
                     f"it is {b} that {a} {verb} {prep}", f"{a} still {verb} {prep} {b}", f"{b} is what {a} {verb} {prep}" if kind == "what" else f"{a} now {verb} {prep} {b}"))
    asks = [f"{cap(kind)} {did} {a} {ask}{'' if kind == 'where' else ' ' + prep}?"] * 2
    if kind != "where":
        asks.append(f"{prep} {kind} {did} {a} {ask}?")
    else:
        asks.append(f"{'From' if prep == 'from' else 'In' if prep == 'in' else cap(prep)} {'which town' if obj == 't' else 'which place'} {did} {a} {ask}?")
    asks.append(f"{'Who' if sub == 'p' else 'What'} {verb if not many else base} {prep} {b}?")
    return Fact(text + ".", asks)


def role_fact(w):
    r = w.r
    role = r.choice(ROLES) if r.random() < .9 else w.word()
    p, x = w.get("p"), w.get(r.choice("ppttWoo"))
    text = r.choice((f"{p} is the {role} of {x}", f"{p} is the {role} of {x}", f"the {role} of {x} is {p}", f"the {role} of {x} is called {p}", f"{x} has {p} as its {role}",
                     f"{p} was named {role} of {x}", f"{p} has been the {role} of {x} since {w.get('y')}", f"{p} serves as {role} of {x}",
                     f"as {role} of {x}, {p} has much to do", f"{p}, the {role} of {x}, likes {w.get('f')}", f"{x} chose {p} as {role}",
                     f"{p} became the {role} of {x} in {w.get('y')}", f"{x}'s {role} is {p}", f"{p} is {x}'s {role}",
                     f"the post of {role} of {x} went to {p}"))
    asks = [f"Who is the {role} of {x}?"] * 3 + [f"What is the name of the {role} of {x}?", f"Of whom is {p} the {role}?", f"Of what is {p} the {role}?",
                                             f"Who is {x}'s {role}?", f"What is {p}?", f"Who is {p}?", f"Which {role} does {x} have?"]
    return Fact(text + ".", asks)


def job_fact(w):
    r = w.r
    p, j = w.get("p"), w.get("j")
    where = f" in {w.get('t')}" if r.random() < .4 else ""
    text = r.choice((f"{p} is a {j}{where}", f"{p} works as a {j}{where}", f"{p} earns a living as a {j}{where}", f"{p} became a {j}{where}",
                     f"{p}, a {j}{where}, plays the {w.get('e')}", f"the trade of {p} is that of a {j}", f"{p} trained as a {j}{where}"))
    return Fact(text + ".", [f"What is {p}'s job?", f"What does {p} do?", f"What is the profession of {p}?", f"What is the trade of {p}?",
                             f"What does {p} do for a living?", f"What kind of work does {p} do?", f"As what does {p} work?"])


def attribute_fact(w):
    r = w.r
    at = r.choice(W.ATTRS) if r.random() < .8 else (w.word() if r.random() < .5 else r.choice(W.ADJ) + " " + r.choice(W.NOUNS))
    x, v = w.get("X"), w.get(r.choice("VVVcnwkdmuk"))
    text = r.choice((f"the {at} of {x} is {v}",) * 3 + (f"{x} has the {at} {v}", f"{x} has {v} as its {at}", f"{v} is the {at} of {x}", f"{v} is the {at} of {x}",
                     f"for {x} the {at} is {v}", f"the {at} for {x} is {v}", f"{x}'s {at} is {v}", f"{x} was given the {at} {v}", f"{x}, {at} {v}, is new",
                     f"as {at} of {x} we use {v}", f"the {at} that {x} has is {v}", f"the {at} of {x} changed to {v}", f"{x} uses the {at} {v}",
                     f"with {x} goes the {at} {v}", f"set the {at} of {x} to {v}", f"the {at} of {x} must be {v}", f"{x} goes by the {at} {v}"))
    asks = [f"What is the {at} of {x}?"] * 3 + [f"Which {at} does {x} have?", f"What {at} does {x} have?", f"What is the {at} for {x}?", f"What is {x}'s {at}?",
            f"{at} of {x}?", f"{x} {at}?", f"Tell me the {at} of {x}.", f"What was the {at} of {x}?", f"What should the {at} of {x} be?"]
    return Fact(text + ".", asks)


def lone_fact(w):
    """An entry of a form or a list: Deadline: 4 May."""
    r = w.r
    at = r.choice(W.ATTRS) if r.random() < .6 else w.word() if r.random() < .5 else r.choice(W.NOUNS)
    v = w.get(r.choice("VVVcnwkdmu"))
    text = r.choice((f"the {at} is {v}.", f"our {at} is {v}.", f"{at}: {v}.", f"{at}: {v}", f"{at} - {v}.", f"{at} = {v}", f"the {at} was {v}.", f"our {at} will be {v}.",
                     f"please use {v} as the {at}.", f"use {v} as {at}.", f"we agreed on {v} as the {at}."))
    return Fact(text, [f"What is the {at}?"] * 3 + [f"What {at} is given?", f"Tell me the {at}.", f"Which {at} is it?", f"{at}?", f"What about the {at}?"])


def measured_fact(w):
    r = w.r
    verb, noun, q1, q2, units = r.choice(MEASURED)
    x = w.get(r.choice("WWOOOt")) if noun not in ("income", "debt", "age") else w.get("p")
    if noun == "price" or noun == "weight":
        x = w.get(r.choice("OOW"))
    v = w.get("m") if units == "m" else w.number() + " " + r.choice(units)
    text = r.choice((verb.format(x=x, q=v),) * 3 + (f"the {noun} of {x} is {v}", f"{x} has a {noun} of {v}", f"{v} is the {noun} of {x}", f"with a {noun} of {v}, {x} is no surprise",
                                                  f"the {noun} of {x} was put at {v}"))
    return Fact(text + ".", [q1.format(x=x), q1.format(x=x), q2.format(x=x), f"What is the {noun} of {x}?", f"What {noun} does {x} have?"])


def counted_fact(w):
    r = w.r
    n, things = w.get(r.choice("sssn")), r.choice(COUNTED)
    x = w.get(r.choice("ptWoOO"))
    text = r.choice((f"{x} has {n} {things}",) * 3 + (f"there are {n} {things} in {x}", f"{n} {things} belong to {x}", f"{x} counts {n} {things}", f"in {x} there are {n} {things}",
                     f"{n} {things} were counted at {x}", f"{x} comes with {n} {things}", f"the number of {things} of {x} is {n}", f"{x} needs {n} {things}"))
    return Fact(text + ".", [f"How many {things} does {x} have?"] * 3 + [f"How many {things} are there in {x}?", f"What is the number of {things} of {x}?",
                                                                    f"How many {things} belong to {x}?"])


def timed_fact(w):
    r = w.r
    verb, noun, kind = r.choice(TIMED)
    x = w.get(kind)
    when = r.choice((lambda: "in " + w.get("y"), lambda: "on " + w.get("d"), lambda: "at " + w.get("h")))()
    value = when.split(" ", 1)[1]
    text = r.choice((f"{x} {verb} {when}",) * 3 + (f"{when} {x} {verb}", f"{when}, {x} {verb}", f"it was {when} that {x} {verb}", f"the {noun} of {x} was {when}", f"{value} saw the {noun} of {x}",
                     f"the {noun} of {x} is dated {value}", f"{value} is the date of the {noun} of {x}", f"{x} {verb} {when} after all"))
    base = {"was": "was", "opened": "open", "closed": "close", "died": "die", "began": "begin", "ended": "end", "arrived": "arrive", "left": "leave", "retired": "retire",
            "sank": "sink", "crashed": "crash", "joined": "join", "resigned": "resign", "moved": "move out", "expires": "expire", "starts": "start"}[verb.split()[0]]
    ask = f"{x} {verb[4:]}" if base == "was" else f"{x} {base}"
    aux = "was" if base == "was" else "does" if verb in NOT_PAST else "did"
    return Fact(text + ".", [f"When {aux} {ask}?"] * 3 + [f"In what year {aux} {ask}?", f"On what date {aux} {ask}?", f"When was the {noun} of {x}?", f"What is the date of the {noun} of {x}?",
                                                     f"At what time {aux} {ask}?"])


def given_fact(w):
    """Three parties: a giver, a thing, a receiver."""
    r = w.r
    p, q, z = w.get("p"), w.get("p"), w.get("O") if r.random() < .7 else w.get("m")
    base = r.choice(("give", "lend", "send", "sell", "show", "hand", "promise", "return", "owe", "offer", "bring", "leave"))
    past = {"hand": "handed", "owe": "owed", "leave": "left"}.get(base) or W.past(base)
    done = {"hand": "handed", "owe": "owed", "leave": "left"}.get(base) or W.participle(base)
    when = f" on {w.get('d')}" if r.random() < .25 else f" in {w.get('t')}" if r.random() < .2 else ""
    text = r.choice((f"{p} {past} {z} to {q}{when}",) * 2 + (f"{p} {past} {q} {z}{when}", f"{q} received {z} from {p}{when}", f"{z} was {done} to {q} by {p}{when}", f"{q} has {z} from {p}",
                     f"to {q}, {p} {past} {z}{when}", f"from {p}, {q} got {z}{when}"))
    if " received " in text or " has " in text or " got " in text:
        return Fact(text + ".", [f"From whom did {q} get {z}?", f"Who got {z} from {p}?", f"What did {q} get from {p}?", f"What did {q} receive?", f"From whom did {q} receive {z}?"])
    return Fact(text + ".", [f"To whom did {p} {base} {z}?", f"Who {past} {z} to {q}?", f"What did {p} {base} to {q}?", f"Whom did {p} {base} {z} to?", f"What did {p} {base} {q}?"])


def named_fact(w):
    """Something is called something, means something, is a kind of something, lies between two."""
    r = w.r
    x, y = w.get("W"), w.get(r.choice("Ww"))
    owner, kind = w.get("p"), r.choice(W.ANIMALS + W.ITEMS + ["boat", "house", "band", "shop", "farm", "village", "horse"])
    pick = r.randrange(7)
    if pick < 3:
        text = r.choice((f"the {kind} of {owner} is called {x}", f"{owner} has a {kind} called {x}", f"{owner} named the {kind} {x}", f"{x} is the {kind} of {owner}",
                         f"{owner} keeps a {kind} by the name of {x}", f"{owner}'s {kind} is {x}"))
        asks = [f"What is the {kind} of {owner} called?", f"What is the name of the {kind} of {owner}?", f"Whose {kind} is {x}?", f"How did {owner} name the {kind}?", f"What is {x}?",
                f"Which {kind} does {owner} have?", f"Who has a {kind} called {x}?"]
    elif pick == 3:
        word = w.word()
        text = r.choice((f"a {word} is a {r.choice(W.ADJ)} {kind}", f"the word {word} means {y}", f"{word} is another word for {y}", f"by {word} we mean {y}", f"a {word} is the same as a {y}"))
        asks = [f"What is a {word}?", f"What does {word} mean?", f"What is the meaning of {word}?", f"Explain {word}."]
    elif pick == 4:
        a, b = w.get("t"), w.get("t")
        text = r.choice((f"{x} lies between {a} and {b}", f"between {a} and {b} lies {x}", f"you find {x} on the way from {a} to {b}", f"the road from {a} to {b} passes {x}"))
        asks = [f"Where is {x}?", f"Where does {x} lie?", f"What lies between {a} and {b}?", f"Between which towns is {x}?", f"Where do I find {x}?"]
    elif pick == 5:
        n = w.get("u")
        a, b = w.get("t"), w.get("t")
        text = r.choice((f"the road from {a} to {b} is {n} long", f"{a} is {n} from {b}", f"it is {n} from {a} to {b}", f"{a} and {b} are {n} apart", f"between {a} and {b} there are {n}"))
        asks = [f"How far is {a} from {b}?", f"How far is it from {a} to {b}?", f"What is the distance between {a} and {b}?", f"How far apart are {a} and {b}?"]
    else:
        a, c = w.get("p"), w.get(r.choice("fgPwW"))
        like = r.choice(("love", "hate", "fear", "collect", "avoid", "admire", "study", "sell", "paint", "breed", "prefer", "like", "miss", "make", "grow", "repair"))
        text = r.choice((f"{a} {W.third(like)} {c}", f"{a} {W.third(like)} nothing but {c}", f"above all {a} {W.third(like)} {c}", f"{a} has always {W.participle(like)} {c}",
                         f"{c}: that is what {a} {W.third(like)}", f"{a} is known to {like} {c}"))
        asks = [f"What does {a} {like}?"] * 2 + [f"Who {W.third(like)} {c}?", f"What is it that {a} {W.third(like)}?", f"What does {a} {like} above all?"]
    return Fact(text + ".", asks)


MAKERS = {verb_fact: 22, prepositional_fact: 13, role_fact: 10, job_fact: 4, attribute_fact: 14, lone_fact: 3, measured_fact: 9, counted_fact: 7, timed_fact: 8, given_fact: 6,
          named_fact: 9}


def make_fact(w, makers=MAKERS):
    return w.r.choices(list(makers), list(makers.values()))[0](w)
