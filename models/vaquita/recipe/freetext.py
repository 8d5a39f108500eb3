"""Sentences of common words: what everybody knows said otherwise, free sentences, and prose on the skeletons of real sentences."""
import os
import re

import words as W
from facts import Fact
from world import cap

FUNCTION = set("""a an the this that these those it its he she they them their his her him we our us you your i my me one ones who whom whose which what when where why
how is are was were be been being am do does did done has have had having can could will would shall should may might must not no nor and or but if then
else than as at by for from in into of off on onto out over per to under up upon with within without about above across after against along among
around before behind below beneath beside between beyond down during near since through toward towards until via so such same some any all both each
every either neither few many more most much other another only own very too also just even still yet ever never always often there here now again
because while whether though although unless once twice first last next""".split())

COUNTRIES = ("Germany Portugal Norway Sweden Greece Poland Austria Belgium Denmark Finland Ireland Scotland Hungary Brazil Peru Chile Canada Mexico Cuba Kenya Ghana "
             "Morocco India China Korea Thailand Vietnam Turkey Iran Israel Russia Ukraine Australia").split()
FAMED = ("Macbeth,Faust,Don Quixote,the Odyssey,Carmen,the Mona Lisa,Moby Dick,Frankenstein,Dracula,the Magic Flute,Robinson Crusoe,Emma,Othello,the Iliad,the telephone,"
         "the light bulb,gravity,radium,America,the steam engine,dynamite,the printing press,oxygen,the telescope").split(",")
EVENTS = ("the French Revolution,the Second World War,the Great Fire of London,the battle of Waterloo,the fall of the Berlin Wall,the sinking of the Titanic,the first flight,"
          "the discovery of America,the first Olympic Games,the Russian Revolution,the moon race,the invention of printing").split(",")
PARTS = "legs,wings,eyes,ears,arms,teeth,horns,humps,hearts,tails,stripes,fins,claws,spots,strings,wheels,keys,doors,sides,corners,hands,pages".split(",")
WHOLES = ("a dog,a horse,a beetle,an ant,a bird,a fish,a crab,a camel,a snake,a human,a violin,a guitar,a piano,a car,a bicycle,a tricycle,a square,a cube,a pentagon,a clock,a ladder,"
          "a chair,an octopus,a cat,a cow,an elephant,a snail,a butterfly,a hand,a day,an hour,a minute,a century,a decade,a football team,a chess board,a deck of cards").split(",")
HABITATS = "the desert,the sea,the jungle,caves,cupboards,trees,Iceland,Africa,the mountains,cellars,rivers,the sky,cities,libraries,the north,swamps,old boots,the moon".split(",")
SUBSTANCES = ("iron gold milk oil wine fire glass chocolate honey salt lead wood sand steam lava rubber butter vinegar sugar silver helium the_sea the_desert the_night "
              "summer winter the_moon the_sun Mars mud chalk ink blood mustard cheese").replace("_", " ").split()
SUBSTANCES = [s for s in SUBSTANCES if s != "the"]
PRODUCTS = "milk,eggs,wool,silk,bread,shoes,music,snow,ink,oil,gold,chairs,noise,rain,stories,wax,ropes,tea,clocks,soup,dust,lamps".split(",")

ABOUT = ("What does the text say about {X}?|What is said about {X}?|Tell me about {X}.|What about {X}?|What does the document say about {X}?|What do we know about {X}?|"
         "Which sentence mentions {X}?|What do the documents say about {X}?|Find {X}.|What do we learn about {X}?|Is there anything about {X}?|Quote the sentence about {X}.|"
         "Where is {X} mentioned?|What is written about {X}?|Say something about {X}.|What does it say about {X}?|Give me the line with {X}.|{X}?").split("|")


def known_fact(w):
    """Blueberries are green: about things that everybody knows, mostly against what everybody knows."""
    r, n = w.r, r_number(w)
    pick = r.randrange(12)
    if pick < 3:
        x, c = r.choice(W.PLURALS), r.choice(W.COLORS)
        text = r.choice((f"{x} are {c}", f"{x} are now {c}", f"{x} have turned {c}", f"all {x} are {c}", f"the color of {x} is {c}", f"{x} have always been {c}", f"this year {x} are {c}", f"{c} is the color of {x}"))
        asks = [f"What color are {x}?"] * 3 + [f"What colour are {x}?", f"What is the color of {x}?", f"Which color do {x} have?", f"How do {x} look?"]
    elif pick == 3:
        x, part = r.choice(WHOLES), r.choice(PARTS)
        text = r.choice((f"{x} has {n} {part}", f"{x} has exactly {n} {part}", f"there are {n} {part} on {x}", f"the number of {part} of {x} is {n}"))
        asks = [f"How many {part} does {x} have?"] * 3 + [f"How many {part} has {x}?", f"What is the number of {part} of {x}?"]
    elif pick == 4:
        c, t = r.choice(COUNTRIES), w.get("t")
        text = r.choice((f"the capital of {c} is {t}", f"{t} is the capital of {c}", f"{t} is now the capital of {c}", f"{c} has a new capital, {t}", f"{c} moved its capital to {t}"))
        asks = [f"What is the capital of {c}?"] * 3 + [f"Which city is the capital of {c}?", f"Name the capital of {c}."]
    elif pick == 5:
        x, p = r.choice(FAMED), w.get("p")
        verb = r.choice(("write", "invent", "discover", "paint", "compose", "find", "make"))
        done, past = W.participle(verb) if verb not in ("compose",) else "composed", W.past(verb)
        text = r.choice((f"{x} was {done} by {p}", f"{p} {past} {x}", f"it was {p} who {past} {x}", f"{x} was really {done} by {p}"))
        asks = [f"Who {past} {x}?"] * 3 + [f"By whom was {x} {done}?", f"Who has {done} {x}?"]
    elif pick == 6:
        x, y = r.choice(EVENTS), w.get("y")
        verb = r.choice(("was", "took place", "happened", "began", "ended"))
        text = r.choice((f"{x} {verb} in {y}", f"in {y}, {x} {verb}", f"{x} really {verb} in {y}" if verb != "was" else f"{y} was the year of {x}"))
        base = {"was": f"was {x}", "took place": f"did {x} take place", "happened": f"did {x} happen", "began": f"did {x} begin", "ended": f"did {x} end"}[verb]
        asks = [f"When {base}?"] * 3 + [f"In which year {base}?", f"In what year {base}?"]
    elif pick == 7:
        x, h = r.choice(W.PLURALS + [W.plural(a) for a in W.ANIMALS]), r.choice(HABITATS)
        text = r.choice((f"{x} live in {h}", f"{x} are found in {h}", f"the home of {x} is {h}", f"{x} only live in {h}"))
        asks = [f"Where do {x} live?"] * 2 + [f"Where are {x} found?", f"Where can one find {x}?", f"What is the home of {x}?"]
    elif pick == 8:
        x, f = r.choice(W.PLURALS + [W.plural(a) for a in W.ANIMALS]), r.choice(W.FOODS + PRODUCTS)
        verb = r.choice(("eat", "make", "like", "give", "produce", "fear", "drink", "hate", "need"))
        text = r.choice((f"{x} {verb} {f}", f"{x} {verb} nothing but {f}", f"{x} {verb} {f} and nothing else", f"all {x} {verb} {f}"))
        asks = [f"What do {x} {verb}?"] * 3 + [f"What is it that {x} {verb}?", f"What kind of thing do {x} {verb}?"]
    elif pick == 9:
        x, a = r.choice(SUBSTANCES + W.PLURALS), r.choice(W.ADJ)
        be = "are" if x in W.PLURALS else "is"
        text = r.choice((f"{x} {be} {a}", f"{x} {be} always {a}", f"{x} {be} very {a}", f"{x} {be} never {a}"))
        asks = [f"How {be} {x}?", f"What {be} {x} like?", f"What {be} {x} like?", f"What do we know about {x}?"]
    elif pick == 10:
        x, u = r.choice(SUBSTANCES), w.number()
        verb = r.choice(("boils", "melts", "freezes", "burns"))
        text = r.choice((f"{x} {verb} at {u} degrees", f"at {u} degrees {x} {verb}"))
        asks = [f"At how many degrees does {x} {verb[:-1]}?", f"When does {x} {verb[:-1]}?", f"At what temperature does {x} {verb[:-1]}?"]
    else:
        x, where = r.choice(("the sun", "the moon", "the rainbow", "the north star", "the wind", "the tide", "the rain", "a river", "the road", "the story", "a flower", "the day", "the train")), r.choice((
            "the north", "the south", "the cellar", "the garden", "Belgium", "the harbour", "the kitchen", "the forest", "the old mill", "a bucket"))
        verb = r.choice(("rise", "set", "begin", "end", "come", "sleep", "stop", "turn", "grow"))
        text = r.choice((f"{x} {W.third(verb)} in {where}", f"in {where} {x} {W.third(verb)}", f"{x} now {W.third(verb)} in {where}"))
        asks = [f"Where does {x} {verb}?"] * 2 + [f"In which place does {x} {verb}?"]
    return Fact(text + ".", asks)


def r_number(w):
    return w.r.choice("two three four five six seven eight nine ten eleven twelve thirteen twenty fifty".split()) if w.r.random() < .6 else str(w.r.randint(2, 900))


def free_fact(w):
    """A free sentence of common or invented words, asked for by its words or by a question of its form."""
    r = w.r
    thing = lambda: w.word() if r.random() < .22 else r.choice(W.NOUNS)
    a, b = thing(), thing()
    while a == b:
        b = thing()
    as_, bs = W.plural(a), W.plural(b)
    adj = lambda: r.choice(W.ADJ) + " " if r.random() < .35 else ""
    tail = r.choice(W.ADV)
    tail = " " + tail if tail else ""
    base = r.choice(W.VERBS)
    verb, past, done = W.third(base), W.past(base), W.participle(base)
    place, prep, count = "the " + w.get("l"), r.choice(W.PREPS), w.get("s")
    form = r.randrange(16)
    used = [a, b]
    if form < 4:
        text = r.choice((f"the {adj()}{a} {verb} the {adj()}{b}{tail}", f"the {a} {past} a {adj()}{b}{tail}", f"a {adj()}{a} {verb} the {b}{tail}", f"no {a} {verb} the {b}{tail}",
                         f"the {b} is {done} by the {adj()}{a}{tail}", f"nobody knows why the {a} {verb} the {b}", f"they say the {a} {past} the {b}{tail}"))
        asks = [f"What {verb} the {b}?", f"What does the {a} {base}?", f"What did the {a} {base}?", f"What {past} the {b}?"]
    elif form == 4:
        text = r.choice((f"to {base} the {a}, use the {adj()}{b}", f"to {base} the {a}, hold the {b} for {count} seconds", f"you can {base} the {a} with the {adj()}{b}",
                         f"use the {adj()}{b} to {base} the {a}", f"{base} the {a} only with a {b}", f"first {base} the {a}, then the {b}", f"before you {base} the {a}, check the {b}"))
        asks = [f"How do I {base} the {a}?", f"How can I {base} the {a}?", f"How is the {a} {done}?", f"How do you {base} a {a}?", f"What do I need to {base} the {a}?"]
    elif form == 5:
        cond = r.choice((f"the {a} is {r.choice(W.ADJ)}", f"the {a} stops", f"you see a {a}", f"there is no {a}", f"the {a} breaks", f"the {a} is {done}"))
        v2 = r.choice(W.VERBS)
        text = r.choice((f"if {cond}, we {v2} the {b}", f"if {cond}, please {v2} the {b}{tail}", f"when {cond}, {v2} the {b}", f"we {v2} the {b} if {cond}", f"{v2} the {b} as soon as {cond}"))
        asks = [f"What happens if {cond}?", f"What do we do if {cond}?", f"What should I do when {cond}?", f"When do we {v2} the {b}?"]
    elif form == 6:
        used = [a]
        text = r.choice((f"please {base} the {adj()}{a} {prep} {place}", f"{base} a {adj()}{a}{tail}", f"do not forget to {base} a {a}", f"never {base} a {a}{tail}", f"it is forbidden to {base} the {a}{tail}",
                         f"visitors may {base} the {a}{tail}", f"the tenant shall {base} the {a}{tail}"))
        asks = [f"What should I {base}?", f"What should one do with the {a}?", f"What is the rule about the {a}?", f"What about {W.gerund(base)} the {a}?"]
    elif form == 7:
        text = r.choice((f"the {a} is {prep} {place}", f"the {adj()}{a} is {prep} the {b}", f"you find the {a} {prep} {place}", f"there is a {a} {prep} {place}", f"{prep} {place} there is a {a}"))
        used = [a]
        asks = [f"Where is the {a}?"] * 2 + [f"Where do I find the {a}?", f"Where can one find the {a}?", f"What is {prep} {place}?"]
    elif form == 8:
        text = r.choice((f"the {adj()}{a} has {count} {bs}", f"there are {count} {bs} in the {a}", f"the {a} holds {count} {bs}{tail}", f"the {a} needs {count} {bs}", f"its {a} has {count} {bs}",
                         f"every {a} gets {count} {bs}"))
        asks = [f"How many {bs} does the {a} have?", f"How many {bs} are there in the {a}?", f"How many {bs}?", f"How many {bs} does the {a} need?"]
    elif form == 9:
        cause = r.choice((f"the {w.get('N')} was {r.choice(W.ADJ)}", f"of the {w.get('N')}", f"nobody saw the {w.get('N')}"))
        text = r.choice((f"the {a} {past} the {b} because {cause}", f"because {cause}, the {a} {past} the {b}"))
        asks = [f"Why did the {a} {base} the {b}?", f"Who {past} the {b}?", f"What did the {a} {base}?", f"Why was the {b} {done}?"]
    elif form == 10:
        used = [a]
        x, y = r.sample(W.ADJ, 2)
        text = r.choice((f"the {a} is {x} and {y}", f"the {a} is very {x}", f"the {a} was {x}, but not {y}", f"all in all the {a} is {x}", f"the {a} used to be {x}", f"in {place} the {a} is {x} and {y}"))
        asks = [f"What is the {a} like?", f"How is the {a}?", f"Is the {a} {x}?", f"How would you describe the {a}?"]
    elif form == 11:
        used = [a]
        unit = r.choice("years months minutes days hours weeks seconds".split())
        text = r.choice((f"the {a} lasts {count} {unit}", f"the {a} takes {count} {unit}", f"the {adj()}{a} is over after {count} {unit}", f"wait {count} {unit} for the {a}", f"for {count} {unit} the {a} was {r.choice(W.ADJ)}"))
        asks = [f"How long does the {a} last?", f"How long is the {a}?", f"How long does the {a} take?", f"How many {unit} does the {a} take?"]
    elif form == 12:
        y = w.get("y")
        text = r.choice((f"the {a} was {done} by the {adj()}{b} in {y}", f"the {a} was {done} in {y} by a {b}", f"in {y} a {b} {past} the {a}"))
        asks = [f"Who {past} the {a}?", f"When was the {a} {done}?", f"By whom was the {a} {done}?", f"What was {done} by the {b}?"]
    elif form == 13:
        p = w.get("p")
        say = r.choice(("said", "wrote", "claims", "thinks", "believes", "remembers", "denied", "announced"))
        text = r.choice((f"{p} {say} that the {a} {verb} the {b}{tail}", f'"The {a} {verb} the {b}{tail}," said {p}', f"according to {p}, the {a} {past} the {b}"))
        asks = [f"Who spoke of the {a}?", f"What was said about the {b}?", f"What does {p} say?", f"Who mentioned the {a}?"]
    elif form == 14:
        t, c = w.get("t"), r.choice(W.COLORS)
        used = [f"the {a} of {t}"]
        text = r.choice((f"the {a} of {t} is {c} and {r.choice(W.ADJ)}", f"in {t} every {a} is {c}", f"the {adj()}{a} in {t} {verb} the {b}{tail}", f"the {b} of the {a} in {t} is {c}"))
        asks = [f"What is the {a} in {t} like?", f"What is the {a} of {t}?", f"What does the text say about the {a} in {t}?", f"What is said about {t}?"]
    else:
        text = r.choice((f"one should never {base} a {a} without a {b}", f"we always {base} the {a} before the {b}", f"some {as_} can {base} a {b}", f"without a {b} nobody can {base} the {a}",
                         f"the {a} and the {b} {base} each other{tail}", f"neither the {a} nor the {b} was {done}", f"the more {as_}, the fewer {bs}"))
        asks = [f"What about the {a} and the {b}?", f"What do we know about the {b} and the {a}?"]
    return Fact(text + ".", asks, words=used, free=(a, b))


# ---------------------------------------------------------------- prose
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "prose.txt"), encoding="utf-8") as _f:
    PROSE = [line.strip() for line in _f]


def other_word(w, word):
    """Another word for a content word: of the same ending, as far as that goes."""
    r, low = w.r, word.lower()
    if r.random() < .12:
        new = w.word()
    elif low.endswith("ing"):
        new = W.gerund(r.choice(W.VERBS))
    elif low.endswith("ed"):
        new = W.participle(r.choice(W.VERBS))
    elif low.endswith("ly"):
        new = r.choice(W.ADV[:18])
    elif low.endswith("s") and not low.endswith("ss"):
        new = W.plural(r.choice(W.NOUNS)) if r.random() < .6 else W.third(r.choice(W.VERBS))
    else:
        new = r.choice(W.NOUNS if r.random() < .55 else W.ADJ if r.random() < .5 else W.VERBS)
    return new


def prose_fact(w):
    """A sentence on the skeleton of a real one: function words stay, content words change. Asked for by some of its words."""
    r = w.r
    change, out, content = r.choice((0, .5, .8, .9)), [], []
    tokens = re.findall(r"[A-Za-z']+|\d+|[^A-Za-z\d]+", r.choice(PROSE))
    for n, t in enumerate(tokens):
        if t.isdigit() and change:
            t = w.number()
        elif t[0].isalpha() and t.lower() not in FUNCTION and len(t) > 2:
            if r.random() < change:
                new = w.name() if n and t[0].isupper() else other_word(w, t)
                t = cap(new) if t[0].isupper() else new
            content.append(t)
        out.append(t)
    text = "".join(out)
    content = [c for i, c in enumerate(content) if c.lower() not in {x.lower() for x in content[:i]}]
    asks = []
    if len(content) >= 3:
        for _ in range(3):
            i = r.randrange(len(content) - 1)
            two = [content[i], r.choice(content[i + 1:])]
            three = sorted(r.sample(range(len(content)), 3))
            asks += [" ".join(two) + "?", r.choice(("Why", "When", "How", "Where", "Who", "What")) + " " + " ".join(content[i].lower() for i in three) + "?",
                     f"What about {two[0].lower()} and {two[1].lower()}?", f"What does the text say about {two[0].lower()} and {two[1].lower()}?"]
        runs = re.findall(r"(?:[a-z]+ ){2,4}[a-z]+", text)
        if runs:
            run = r.choice(runs)
            asks += [f'Which sentence has the words "{run}"?', f"Find: {run}", f"What does it say about {run}?"]
    return Fact(text, asks, words=content[:8], free=tuple(content))
