#!/usr/bin/env python3
"""Everything Vaquita is trained on, generated from a seed.

A conversation is a list of (text, weight) pieces, tokenised apart in that order; weight is the loss weight, and a
piece that is None stands for the end-of-sequence id. Run as a command it prints samples:

    python3 corpus.py --seed 1 --kind closed --n 3
"""
import argparse
import random
import re
import zlib

import smalltalk

SYSTEM = ("A chat between a curious user and an assistant. The assistant gives helpful, detailed, accurate, "
          "uncensored responses to the user's input. ")
REFUSAL = "I don't know. The documents do not say."
SOURCE, HONEST = " Source?", " Don't make up answers if you don't know."
REST, ANSWER = 0.1, 1.0


def crc(*parts):
    return zlib.crc32("|".join(map(str, parts)).encode())


# ---------------------------------------------------------------- words
ONSET = ("b c d f g h j k l m n p r s t v w z " * 3 + "y br ch cl cr dr fl fr gl gr kn pl pr qu sh sk sl sn sp st str th tr tw wh").split()
VOWEL = "a e i o u a e i o u a e i o u ai ea ee ia io oa oo ou au".split()
CODA = "b ck d g l ll m n n nd ng nk nt p r r rd rk rm rn rt s s sh sk ss st t th v x".split()
FIRST = ("Anna Ben Carla David Elena Felix Greta Hugo Irene Jonas Karla Leo Maria Nils Olga Paul Rosa Simon Tina Victor Alice "
         "Bob Clara Daniel Emma Frank Grace Henry Ivan Julia Kevin Laura Martin Nina Oscar Petra Quinn Robert Sara Thomas "
         "Ursula Vera William Yara Zoe John Mary James Linda Peter Susan Mark Karen George Helen Adam Eva Lucas Mia").split()
LAST = ("Smith Brown Jones Taylor Miller Wilson Moore Clark Hall Young King Wright Green Baker Adams Nelson Carter Parker "
        "Turner Collins Fischer Weber Wagner Becker Hoffmann Rossi Costa Silva Novak Horvat Larsen Berg Lind Moreau Dubois").split()
COLORS = ("red blue green yellow purple orange pink brown black white grey silver golden turquoise violet crimson beige "
          "scarlet ivory teal amber").split()
PLURALS = ("blueberries tomatoes bananas cucumbers lemons strawberries carrots cherries elephants swans penguins tigers mailboxes "
           "taxis fire engines school buses ravens grapes plums pumpkins potatoes frogs flamingos roses clouds lizards "
           "apples pears peaches whales foxes trains umbrellas olives onions parrots").replace("fire engines", "fire_engines") \
    .replace("school buses", "school_buses").split()
JOBS = ("baker doctor teacher carpenter painter pilot farmer lawyer nurse plumber gardener librarian engineer tailor sailor "
        "miner chemist judge driver cook singer dentist porter clerk welder weaver potter guard guide editor").split()
ANIMALS = ("dog cat horse goat parrot rabbit turtle sheep cow donkey goose snake lizard hamster pony owl ferret crow duck "
           "mouse").split()
FOODS = ("soup bread rice cheese pancakes noodles dumplings salad porridge lentils fish stew apple pie roast beef mushrooms "
         "honey cake plums beans figs walnuts chocolate oysters").replace("apple pie", "apple_pie") \
    .replace("roast beef", "roast_beef").split()
ITEMS = ("lamp ladder clock mirror bicycle piano violin hammer kettle basket carpet letter key coin map book painting statue "
         "telescope engine radio camera boat tent barrel bell chair table cabinet umbrella suitcase drum flute hat coat ring "
         "necklace mug shovel rope candle wagon sled knife bottle box fence gate window door sofa bench report contract "
         "printer server battery pump valve sensor cable robot").split()
PLACES = ("kitchen cellar attic garden barn garage library museum school station harbour market theatre church tower castle "
          "office hospital hotel factory bakery workshop park stable chapel prison bank airport").split()
MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
ATTRS = ("color price weight height length width age capital population password code nickname owner motto symbol area depth "
         "temperature speed name number address size power capacity cost budget deadline title rank salary distance duration "
         "volume diameter location origin purpose material shape language currency flag leader manager director mayor captain "
         "architect inventor founder author editor sponsor successor opponent rival favorite food favorite drink birthday "
         "birthplace phone number email postcode version release date default value serial number warranty period opening "
         "time closing time entrance fee main export national animal access code room number maximum load fuel boiling point "
         "melting point score result limit").split()
_two = {"favorite", "phone", "release", "default", "serial", "warranty", "opening", "closing", "entrance", "main", "national",
        "access", "room", "maximum", "boiling", "melting"}
_a, _i = [], 0
while _i < len(ATTRS):
    if ATTRS[_i] in _two:
        _a.append(ATTRS[_i] + " " + ATTRS[_i + 1])
        _i += 2
    else:
        _a.append(ATTRS[_i])
        _i += 1
ATTRS = _a
VERBS = [v.split("/") for v in (
    "buy/bought sell/sold find/found lose/lost repair/repaired break/broke steal/stole paint/painted hide/hid build/built "
    "design/designed clean/cleaned carry/carried throw/threw drop/dropped open/opened close/closed borrow/borrowed "
    "lend/lent bring/brought take/took keep/kept collect/collected draw/drew describe/described destroy/destroyed "
    "discover/discovered examine/examined inspect/inspected install/installed invent/invented lift/lifted lock/locked "
    "measure/measured move/moved order/ordered pack/packed photograph/photographed pull/pulled push/pushed "
    "receive/received remove/removed rent/rented replace/replaced return/returned send/sent shake/shook show/showed "
    "study/studied test/tested trade/traded wash/washed weigh/weighed wrap/wrapped burn/burned bury/buried").split()]
PARTICIPLE = {"stole": "stolen", "broke": "broken", "took": "taken", "drew": "drawn", "threw": "thrown", "hid": "hidden", "shook": "shaken",
              "showed": "shown"}
ADJ = ("old small large broken quiet heavy strange bright dark wooden rusty green tall empty famous narrow young cold warm soft "
       "hidden forgotten gentle loud clever lazy brave tiny ancient modern").split()
NOUNS = ("river mountain forest bridge village ship captain teacher garden storm winter summer lantern machine letter door window "
         "road valley island lake wolf eagle fisherman miller soldier market song dream shadow stone field orchard tower "
         "engine signal train station harvest festival museum theatre kitchen cat dog horse queen king bird whale kettle clock "
         "council committee company school team law tax report study method network computer program file screen battery "
         "planet comet moon star virus cell protein metal glass paper cotton salt sugar coffee tea "
         "party parking garage ticket train bus ferry passenger captain lawyer contract invoice payment order customer price "
         "discount product package delivery warranty device button switch cable charger printer keyboard mouse monitor folder "
         "password account server backup error message update version license rule member meeting agenda speaker room floor roof "
         "wall stair elevator heater boiler pipe pump filter valve motor wheel brake oil fuel tank recipe oven dough butter "
         "cheese bread soup sauce onion pepper knife spoon plate glass bottle doctor nurse patient medicine pill vaccine "
         "fever exam student pupil lesson teacher course book chapter page author poet painter picture song band concert stage "
         "actor film camera photo city mayor street square park fountain statue church tower castle gate guard prison judge "
         "police thief treasure map compass sailor anchor harbour beach sand wave shark dolphin porpoise net fish bear deer rabbit "
         "hen goose bee flower tree leaf root seed apple pear cherry farmer tractor barn fence horse saddle rider hill cave "
         "glacier desert volcano earthquake rain snow wind cloud sun signal radio antenna satellite rocket pilot wing "
         "airport luggage passport border visa coin bank loan tax budget election law vote senator president minister").split()
NOUNS = sorted(set(NOUNS))
PREPS = "behind under beside above near below inside outside opposite".split() + ["next to", "in front of", "on top of", "close to", "across from"]
VERB3 = ("follows crosses protects watches needs changes covers reaches carries holds hides feeds breaks warms shapes guards "
         "moves lifts blocks supports replaces improves reduces controls damages attracts measures touches fills empties").split()
ADV = ("slowly quickly often rarely always never again quietly every year every night in winter after the rain before dawn "
       "near the coast without a sound for many years with great care during the war at the end of the day")
ADV = ["slowly", "quickly", "often", "rarely", "again", "quietly", "every year", "every night", "in winter", "after the rain",
       "before dawn", "near the coast", "without a sound", "for many years", "with great care", "during the war",
       "at the end of the day", "in most cases", "on weekdays", "under pressure", "by accident", ""]
LEADS = ["According to the report, ", "In a surprising turn of events, ", "As everyone knows, ", "It is said that ", "Today ",
         "Since last year, ", "In fact, ", "However, ", "Records show that ", "Surprisingly, ", "By the way, ", "Note that ",
         "For the record, ", "Also, ", "In addition, ", "At first glance it seems odd, but ", "The editors report that ",
         "Moreover, ", "Meanwhile, ", "As of this week, ", "After a long debate it is now clear that ", "In a strange twist, "]
TAILS = [", and nobody complained", ", as the neighbours confirmed", ", which came as a surprise", ", but the name stays the same",
         ", according to the council", ", at least for now", ", and that will not change soon"]


class World:
    """Random material; split 'train' and 'eval' never share an invented name."""

    def __init__(self, rng, split="train"):
        self.r, self.split = rng, split
        self.seen = set()

    def syllables(self, n):
        r = self.r
        return "".join(r.choice(ONSET) + r.choice(VOWEL) + (r.choice(CODA) if r.random() < .35 else "") for _ in range(n))

    def word(self):
        while True:
            w = self.syllables(self.r.choice((1, 2, 2, 2, 3)))
            if len(w) > 3 and w not in self.seen and (crc(w) % 10 == 0) == (self.split == "eval"):
                self.seen.add(w)
                return w

    def number(self):
        r = self.r
        n = r.choice((r.randint(2, 99), r.randint(2, 99), r.randint(100, 999), r.randint(1000, 99999), r.randint(100000, 9999999)))
        if n > 9999 and r.random() < .5:
            return f"{n:,}"
        if n < 1000 and r.random() < .1:
            return f"{n}.{r.randint(1, 9)}"
        return str(n)

    def get(self, slot):
        r = self.r
        k = slot[0]
        if k == "p":
            first = r.choice(FIRST) if r.random() < .5 else self.word().capitalize()
            if r.random() < .25:
                return first if first not in FIRST else first + " " + self.word().capitalize()
            return first + " " + (r.choice(LAST) if r.random() < .25 and first not in FIRST else self.word().capitalize())
        if k == "t":
            w = self.word().capitalize()
            return w + r.choice(["", "", "", "ville", "burg", " Bay", "ton", " Hill"])
        if k == "o":
            w = self.word().capitalize()
            return r.choice(["{} Ltd", "{} Works", "the {} Institute", "{}", "{} Bank", "the {} Museum", "{} & Sons"]).format(w)
        if k == "w":
            return self.word()
        if k == "W":
            return self.word().capitalize()
        if k == "n":
            return self.number()
        if k == "s":
            return str(r.randint(2, 60))
        if k == "y":
            return str(r.randint(1400, 2040))
        if k == "d":
            return r.choice([f"{r.randint(1, 28)} {r.choice(MONTHS)} {r.randint(1700, 2040)}", f"{r.choice(MONTHS)} {r.randint(1, 28)}",
                             f"{r.randint(1900, 2040)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}", r.choice(DAYS),
                             f"{r.choice(MONTHS)} {r.randint(1, 28)}, {r.randint(1800, 2040)}", str(r.randint(1500, 2040))])
        if k == "h":
            return r.choice([f"{r.randint(1, 12)} o'clock", f"{r.randint(0, 23)}:{r.randint(0, 59):02}", "noon", "midnight"])
        if k == "m":
            return r.choice(["${}", "{} euros", "{} dollars", "{} crowns", "€{}", "{} pounds"]).format(self.number())
        if k == "u":
            return self.number() + " " + r.choice("metres km kg miles litres hours minutes tons degrees percent watts feet pages".split())
        if k == "k":
            return r.choice([self.word().upper()[:4] + "-" + str(r.randint(10, 9999)), f"{r.choice('ABCDEFGHKLMXZ')}{r.randint(10, 999)}",
                             str(r.randint(1000, 999999)), self.word() + str(r.randint(1, 99))])
        if k == "v":
            return self.get(r.choice("pwWnyduktcmhij"))
        if k == "x":
            return self.get(r.choice("ppttWWoWz"))
        if k == "z":
            return "the " + (r.choice(ADJ) + " " if r.random() < .4 else "") + r.choice(ITEMS)
        if k == "l":
            return "the " + r.choice(PLACES)
        return r.choice({"c": COLORS, "P": PLURALS, "j": JOBS, "a": ANIMALS, "f": FOODS, "i": ITEMS}[k]).replace("_", " ")


# ---------------------------------------------------------------- facts
# (sentences, {value slot: questions}); a question names every slot that tells the fact apart.
KINDS = [
    (["{p} works at {o}.", "{p} is employed by {o}.", "{o} employs {p}."],
     {"o": ["Where does {p} work?", "Who employs {p}?", "Which company does {p} work for?", "What is the employer of {p}?"],
      "p": ["Who works at {o}?", "Who is employed by {o}?"]}),
    (["{p} lives in {t}.", "{p} has a house in {t}.", "The home of {p} is in {t}."],
     {"t": ["Where does {p} live?", "In which town does {p} live?", "Where is the home of {p}?", "What town is {p} living in?"],
      "p": ["Who lives in {t}?", "Who has a home in {t}?"]}),
    (["{p} was born in {y}.", "{p} was born in the year {y}.", "{y} is the year in which {p} was born."],
     {"y": ["When was {p} born?", "In what year was {p} born?", "What is the birth year of {p}?", "What year was {p} born?"]}),
    (["{p} was born in {t}.", "{p} comes from {t}.", "{p} grew up in {t}."],
     {"t": ["Where was {p} born?", "Where does {p} come from?", "Where is {p} from?", "What is the home town of {p}?"],
      "p": ["Who comes from {t}?", "Who is from {t}?"]}),
    (["{p} is a {j}.", "{p} works as a {j}.", "By trade {p} is a {j}."],
     {"j": ["What is the job of {p}?", "What does {p} do for a living?", "What is the profession of {p}?", "What does {p} work as?"]}),
    (["{p} has a {a} called {W}.", "{p} owns a {a} named {W}.", "The {a} of {p} is called {W}."],
     {"W": ["What is the {a} of {p} called?", "What is the name of the {a} of {p}?", "How is the {a} of {p} called?"],
      "p": ["Who owns {W}?", "Who has a {a} called {W}?"], "a": ["What kind of animal is {W}?", "What pet does {p} have?"]}),
    (["{p} likes {f}.", "{p} loves to eat {f}.", "The favorite food of {p} is {f}."],
     {"f": ["What does {p} like to eat?", "What food does {p} like?", "What is the favorite food of {p}?", "What does {p} love?"]}),
    (["{P} are {c}.", "{P} are now {c}.", "{P} have turned {c}.", "All {P} are {c}."],
     {"c": ["What color are {P}?", "What colour are {P}?", "What is the color of {P}?", "Which color do {P} have?"]}),
    (["The {i} of {p} is {c}.", "{p} owns a {c} {i}.", "{p} has a {c} {i}."],
     {"c": ["What color is the {i} of {p}?", "What is the color of the {i} of {p}?", "Which colour does the {i} of {p} have?"]}),
    (["The price of the {i} is {m}.", "The {i} costs {m}.", "The {i} is sold for {m}.", "One pays {m} for the {i}."],
     {"m": ["How much is the {i}?", "What does the {i} cost?", "What is the price of the {i}?", "How much does the {i} cost?"]}),
    (["{t} has {n} inhabitants.", "The population of {t} is {n}.", "{n} people live in {t}."],
     {"n": ["How many people live in {t}?", "What is the population of {t}?", "How many inhabitants does {t} have?", "How big is the population of {t}?"]}),
    (["The capital of {W} is {t}.", "{t} is the capital of {W}.", "{W} has its capital in {t}."],
     {"t": ["What is the capital of {W}?", "Which city is the capital of {W}?", "Name the capital of {W}."],
      "W": ["Of what is {t} the capital?", "{t} is the capital of which country?"]}),
    (["{W} is {u} tall.", "The height of {W} is {u}.", "{W} rises to a height of {u}."],
     {"u": ["How tall is {W}?", "What is the height of {W}?", "How high is {W}?"]}),
    (["{W} weighs {u}.", "The weight of {W} is {u}.", "On the scales {W} shows {u}."],
     {"u": ["How much does {W} weigh?", "What is the weight of {W}?", "How heavy is {W}?"]}),
    (["The river {W} is {u} long.", "The length of the river {W} is {u}.", "The river {W} has a length of {u}."],
     {"u": ["How long is the river {W}?", "What is the length of the river {W}?"]}),
    (["{o} was founded in {y}.", "{o} was founded by {p} in {y}.", "In {y} {o} was founded."],
     {"y": ["When was {o} founded?", "In which year was {o} founded?", "What year was {o} founded in?"]}),
    (["{p} founded {o}.", "{o} was founded by {p}.", "The founder of {o} is {p}."],
     {"p": ["Who founded {o}?", "Who is the founder of {o}?", "Who started {o}?"],
      "o": ["What did {p} found?", "Which company was founded by {p}?"]}),
    (["{p} wrote the book {W}.", "The author of the book {W} is {p}.", "The book {W} was written by {p}."],
     {"p": ["Who wrote {W}?", "Who wrote the book {W}?", "Who is the author of {W}?"],
      "W": ["What did {p} write?", "Which book did {p} write?", "Which book is by {p}?"]}),
    (["{p} invented the {w}.", "The {w} was invented by {p}.", "The inventor of the {w} is {p}."],
     {"p": ["Who invented the {w}?", "Who is the inventor of the {w}?"], "w": ["What did {p} invent?", "Which thing was invented by {p}?"]}),
    (["{p} is the mayor of {t}.", "The mayor of {t} is {p}.", "{t} elected {p} as mayor."],
     {"p": ["Who is the mayor of {t}?", "Who is mayor in {t}?", "What is the name of the mayor of {t}?"],
      "t": ["Of which town is {p} the mayor?", "Where is {p} the mayor?"]}),
    (["{p} is married to {p2}.", "{p} married {p2}.", "{p2} is the spouse of {p}."],
     {"p2": ["Who is {p} married to?", "Who is the spouse of {p}?", "Whom did {p} marry?"]}),
    (["{p} has {s} children.", "{p} is a parent of {s}.", "The family of {p} has {s} children."],
     {"s": ["How many children does {p} have?", "How many kids does {p} have?"]}),
    (["{p} is {s} years old.", "The age of {p} is {s}.", "{p} turned {s} this year."],
     {"s": ["How old is {p}?", "What is the age of {p}?", "What age is {p}?"]}),
    (["{p} speaks {W}.", "The mother tongue of {p} is {W}.", "{p} is fluent in {W}."],
     {"W": ["What language does {p} speak?", "Which language does {p} speak?", "What is the language of {p}?"],
      "p": ["Who speaks {W}?"]}),
    (["The password for {W} is {k}.", "The password of {W} is {k}.", "{W} uses the password {k}."],
     {"k": ["What is the password for {W}?", "What is the password of {W}?", "Which password does {W} use?"]}),
    (["The code of {l} is {k}.", "The code for {l} is {k}.", "To enter {l}, use the code {k}."],
     {"k": ["What is the code for {l}?", "What is the code of {l}?", "Which code opens {l}?"]}),
    (["The meeting with {p} is on {d}.", "The meeting with {p} takes place on {d}.", "On {d} there is a meeting with {p}."],
     {"d": ["When is the meeting with {p}?", "On what day is the meeting with {p}?", "What is the date of the meeting with {p}?"],
      "p": ["With whom is the meeting on {d}?"]}),
    (["The train to {t} leaves at {h}.", "At {h} the train to {t} leaves.", "The departure of the train to {t} is at {h}."],
     {"h": ["When does the train to {t} leave?", "At what time does the train to {t} leave?", "What time is the train to {t}?"]}),
    (["The shop in {t} opens at {h}.", "In {t} the shop opens at {h}.", "The shop in {t} is open from {h}."],
     {"h": ["When does the shop in {t} open?", "At what time does the shop in {t} open?", "What are the opening hours in {t}?"]}),
    (["{z} is in {l}.", "{z} stands in {l}.", "{z} can be found in {l}.", "{z} was left in {l}."],
     {"l": ["Where is {z}?", "Where can I find {z}?", "In which place is {z}?", "Where was {z} left?"]}),
    (["{z} belongs to {p}.", "{p} is the owner of {z}.", "{z} is the property of {p}."],
     {"p": ["Who owns {z}?", "Who is the owner of {z}?", "Whose is {z}?", "To whom does {z} belong?"],
      "z": ["What does {p} own?", "What belongs to {p}?"]}),
    (["{z} is made of {w}.", "{z} consists of {w}.", "The material of {z} is {w}."],
     {"w": ["What is {z} made of?", "What material is {z} made of?", "Of what does {z} consist?"]}),
    (["{W} lies between {t} and {t2}.", "{W} is found between {t} and {t2}.", "Between {t} and {t2} lies {W}."],
     {"t": ["Where is {W}?", "Where does {W} lie?", "Between which towns is {W}?"]}),
    (["A {w} is a kind of {w2}.", "The word {w} means {w2}.", "A {w} is the same as a {w2}."],
     {"w2": ["What is a {w}?", "What does {w} mean?", "What is the meaning of {w}?"]}),
    (["{p} won the {W} prize in {y}.", "In {y} the {W} prize went to {p}.", "The {W} prize was given to {p} in {y}."],
     {"p": ["Who won the {W} prize?", "Who got the {W} prize?", "Who won the {W} prize in {y}?"],
      "y": ["When did {p} win the {W} prize?", "In what year did {p} win the {W} prize?"], "W": ["Which prize did {p} win?", "What did {p} win?"]}),
    (["{p} drives a {c} {W}.", "{p} bought a {c} {W}.", "The car of {p} is a {c} {W}."],
     {"W": ["What car does {p} drive?", "What does {p} drive?", "Which car does {p} have?"]}),
    (["{P} eat {f}.", "{P} live on {f}.", "{P} eat nothing but {f}."],
     {"f": ["What do {P} eat?", "What do {P} live on?", "What is the food of {P}?"]}),
    (["{P} come from {t}.", "{P} are grown in {t}.", "The home of {P} is {t}."],
     {"t": ["Where do {P} come from?", "Where are {P} from?", "What is the home of {P}?"]}),
    (["The boss of {p} is {p2}.", "{p} reports to {p2}.", "{p2} is the boss of {p}."],
     {"p2": ["Who is the boss of {p}?", "Whom does {p} report to?", "Who does {p} report to?", "Who is the manager of {p}?"]}),
    (["{W} was released on {d}.", "The release date of {W} is {d}.", "{W} came out on {d}."],
     {"d": ["When was {W} released?", "What is the release date of {W}?", "When did {W} come out?"]}),
    (["The battery of {W} lasts {s} hours.", "{W} runs for {s} hours on one battery.", "{W} has a battery life of {s} hours."],
     {"s": ["How long does the battery of {W} last?", "What is the battery life of {W}?", "How many hours does {W} run?"]}),
    (["{W} can be reached at {k}.", "The phone number of {W} is {k}.", "To call {W}, dial {k}."],
     {"k": ["What is the phone number of {W}?", "How can I reach {W}?", "Which number do I dial for {W}?"]}),
    (["{p} died in {y}.", "{p} passed away in {y}.", "{p} died in {t} in {y}."],
     {"y": ["When did {p} die?", "In what year did {p} die?", "What year did {p} die?"]}),
    (["{p} plays the {i} in {W}.", "In {W}, {p} plays the {i}.", "{p} is at the {i} in {W}."],
     {"i": ["What does {p} play?", "Which instrument does {p} play?", "What does {p} play in {W}?"], "W": ["Where does {p} play?"]}),
    (["The war of {W} ended in {y}.", "In {y} the war of {W} ended.", "The war of {W} was over in {y}."],
     {"y": ["When did the war of {W} end?", "In which year did the war of {W} end?", "When was the war of {W} over?"]}),
    (["{p} arrived in {t} on {d}.", "On {d} {p} arrived in {t}.", "{p} reached {t} on {d}."],
     {"d": ["When did {p} arrive in {t}?", "When did {p} arrive?", "On what day did {p} reach {t}?"],
      "t": ["Where did {p} arrive?", "Where did {p} arrive on {d}?"], "p": ["Who arrived in {t}?", "Who arrived on {d}?"]}),
    (["The project {W} ends on {d}.", "The deadline of the project {W} is {d}.", "{d} is the last day of the project {W}."],
     {"d": ["When does the project {W} end?", "What is the deadline of the project {W}?", "By when must the project {W} be done?"]}),
    (["{p} leads the project {W}.", "The project {W} is led by {p}.", "The leader of the project {W} is {p}."],
     {"p": ["Who leads the project {W}?", "Who is in charge of the project {W}?", "Who is the leader of the project {W}?"],
      "W": ["Which project does {p} lead?", "What does {p} lead?"]}),
    (["{p} went to {t} by {i}.", "{p} travelled to {t} by {i}.", "By {i} {p} went to {t}."],
     {"t": ["Where did {p} go?", "Where did {p} travel?", "Where did {p} travel to?"], "i": ["How did {p} get to {t}?", "How did {p} travel to {t}?"]}),
    (["{p} is {u} tall.", "{p} stands {u} tall.", "The height of {p} is {u}."],
     {"u": ["How tall is {p}?", "What is the height of {p}?"]}),
    (["The distance between {t} and {t2} is {u}.", "From {t} to {t2} it is {u}.", "{t} is {u} from {t2}."],
     {"u": ["How far is it from {t} to {t2}?", "What is the distance between {t} and {t2}?", "How far is {t} from {t2}?"]}),
    (["The opening of {l} was on {d}.", "{l} was opened on {d}.", "{l} opened on {d}."],
     {"d": ["When was {l} opened?", "When did {l} open?", "On what date was {l} opened?"]}),
    (["{l} is closed on {d}.", "On {d} {l} is closed.", "{l} stays closed on {d}."],
     {"d": ["When is {l} closed?", "On which day is {l} closed?"]}),
    (["The soup of the day is {f}.", "Today's special is {f}.", "The cook recommends {f}."],
     {"f": ["What is on the menu?", "What does the cook offer?"]}),
    (["{p} is allergic to {f}.", "{p} must not eat {f}.", "{f} makes {p} ill."],
     {"f": ["What is {p} allergic to?", "What must {p} not eat?", "What makes {p} ill?"], "p": ["Who is allergic to {f}?"]}),
    (["{p} hates {f}.", "{p} cannot stand {f}.", "{p} does not like {f}."],
     {"f": ["What does {p} hate?", "What does {p} not like?", "Which food does {p} dislike?"]}),
    (["{p} is afraid of {P}.", "{p} fears {P}.", "{P} frighten {p}."],
     {"P": ["What is {p} afraid of?", "What does {p} fear?", "What frightens {p}?"], "p": ["Who is afraid of {P}?"]}),
    (["{p} collects {P}.", "{p} has a collection of {P}.", "The hobby of {p} is collecting {P}."],
     {"P": ["What does {p} collect?", "What is the hobby of {p}?"], "p": ["Who collects {P}?"]}),
    (["The {i} weighs {u}.", "The weight of the {i} is {u}.", "The {i} has a weight of {u}."],
     {"u": ["How much does the {i} weigh?", "How heavy is the {i}?", "What is the weight of the {i}?"]}),
    (["The {i} was made in {t}.", "The {i} comes from {t}.", "The {i} was built in {t}."],
     {"t": ["Where was the {i} made?", "Where does the {i} come from?", "Where was the {i} built?"]}),
    (["The {i} was built in {y}.", "The {i} dates from {y}.", "The {i} was made in the year {y}."],
     {"y": ["When was the {i} built?", "When was the {i} made?", "From which year is the {i}?", "How old is the {i}?"]}),
    (["{p} called {p2} on {d}.", "{p} phoned {p2} on {d}.", "On {d} {p} called {p2}."],
     {"p2": ["Whom did {p} call?", "Who did {p} call?"], "p": ["Who called {p2}?"], "d": ["When did {p} call {p2}?", "When did {p} call?"]}),
    (["{p} gave {z} to {p2}.", "{p2} got {z} from {p}.", "{p2} received {z} from {p}."],
     {"p": ["Who gave {z} to {p2}?", "From whom did {p2} get {z}?"], "p2": ["To whom did {p} give {z}?", "Who got {z}?"],
      "z": ["What did {p} give to {p2}?", "What did {p2} get?"]}),
    (["{p} and {p2} founded {o} in {y}.", "In {y}, {p} and {p2} started {o}.", "{o} was started by {p} and {p2}."],
     {"p": ["Who founded {o}?", "Who started {o}?", "Who are the founders of {o}?"]}),
    (["{W} is a town in {t}.", "{W} is located in {t}.", "{W} lies in {t}.", "{W} is situated in {t}."],
     {"t": ["Where is {W}?", "Where is {W} located?", "In which country is {W}?", "Where does {W} lie?"]}),
    (["{W} is known for its {P}.", "{W} is famous for its {P}.", "People visit {W} for its {P}."],
     {"P": ["What is {W} known for?", "What is {W} famous for?", "Why do people visit {W}?"]}),
    (["{p} studied {w} at {o}.", "{p} learned {w} at {o}.", "At {o}, {p} studied {w}."],
     {"w": ["What did {p} study?", "What did {p} learn?"], "o": ["Where did {p} study?", "Where did {p} learn {w}?"]}),
    (["{o} makes {P}.", "{o} produces {P}.", "The products of {o} are {P}."],
     {"P": ["What does {o} make?", "What does {o} produce?", "What are the products of {o}?"], "o": ["Who makes {P}?", "Which company produces {P}?"]}),
    (["{o} has {n} employees.", "{n} people work for {o}.", "{o} employs {n} people."],
     {"n": ["How many employees does {o} have?", "How many people work for {o}?", "How big is {o}?"]}),
    (["{o} has its office in {t}.", "The office of {o} is in {t}.", "{o} is based in {t}."],
     {"t": ["Where is {o} based?", "Where is the office of {o}?", "In which town is {o}?"], "o": ["Which company is based in {t}?"]}),
    (["{p} plays {w} every {d}.", "Every {d} {p} plays {w}.", "{p} plays {w} on {d}."],
     {"w": ["What does {p} play?", "Which game does {p} play?"], "d": ["When does {p} play {w}?", "When does {p} play?"]}),
    (["The answer to question {s} is {v}.", "Question {s}: {v}.", "For question {s} the answer is {v}."],
     {"v": ["What is the answer to question {s}?", "What is the answer to number {s}?"]}),
    (["Room {s} is used by {p}.", "{p} has room {s}.", "{p} sits in room {s}."],
     {"s": ["Which room does {p} have?", "In which room is {p}?", "Where does {p} sit?"], "p": ["Who is in room {s}?", "Who uses room {s}?"]}),
    (["The version of {W} is {s}.{s2}.", "{W} is now at version {s}.{s2}.", "We use version {s}.{s2} of {W}."],
     {"s": ["Which version of {W} do we use?", "What is the version of {W}?", "What version is {W}?"]}),
    (["The server {w} listens on port {n}.", "Port {n} is used by the server {w}.", "The port of the server {w} is {n}."],
     {"n": ["On which port does the server {w} listen?", "What is the port of the server {w}?", "Which port does {w} use?"]}),
    (["Press {k} to open the {w}.", "The {w} is opened with {k}.", "To open the {w}, press {k}."],
     {"k": ["How do I open the {w}?", "What do I press to open the {w}?", "How is the {w} opened?"]}),
    (["Set {w} to {v}.", "The setting {w} must be {v}.", "The value of {w} should be {v}."],
     {"v": ["What should {w} be set to?", "What is the value of {w}?", "What must the setting {w} be?"]}),
    (["The {w} needs {s} grams of {f}.", "For the {w} take {s} grams of {f}.", "{s} grams of {f} go into the {w}."],
     {"f": ["What goes into the {w}?", "What does the {w} need?"], "s": ["How much {f} does the {w} need?", "How many grams of {f} go into the {w}?"]}),
    (["The rent in {t} is {m}.", "In {t} the rent is {m}.", "People in {t} pay {m} in rent."],
     {"m": ["How much is the rent in {t}?", "What is the rent in {t}?", "What rent do people pay in {t}?"]}),
    (["{p} earns {m}.", "{p} is paid {m}.", "The salary of {p} is {m}."],
     {"m": ["How much does {p} earn?", "What is the salary of {p}?", "How much is {p} paid?"]}),
    (["{p} owes {p2} {m}.", "{p} has to pay {m} to {p2}.", "{p} still owes {m} to {p2}."],
     {"m": ["How much does {p} owe {p2}?", "How much does {p} owe?", "What does {p} have to pay?"], "p2": ["Whom does {p} owe money?"]}),
    (["{W} happened in {y}.", "{W} took place in {y}.", "The events of {W} took place in {y}."],
     {"y": ["When did {W} happen?", "When did {W} take place?", "In which year did {W} happen?"]}),
    (["{W} has {s} moons.", "{s} moons circle {W}.", "The planet {W} has {s} moons."],
     {"s": ["How many moons does {W} have?", "What is the number of moons of {W}?"]}),
    (["{p} was late because of {z}.", "Because of {z}, {p} was late.", "{p} came late because of {z}."],
     {"z": ["Why was {p} late?", "Why did {p} come late?"], "p": ["Who was late?", "Who came late?"]}),
    (["The light in {l} is {c}.", "{l} has {c} walls.", "The door of {l} is {c}."],
     {"c": ["What color is {l}?", "Which color is seen in {l}?"]}),
    (["My name is {p}.", "I am {p}.", "I am called {p}."],
     {"p": ["What is my name?", "Who am I?", "Who is writing?", "What is the name of the writer?"]}),
    (["I live in {t}.", "My home is in {t}.", "We live in {t}."],
     {"t": ["Where do I live?", "Where is my home?", "Where does the writer live?"]}),
    (["We meet at {h} in {l}.", "The meeting is at {h} in {l}.", "Our meeting takes place in {l} at {h}."],
     {"h": ["When do we meet?", "At what time is the meeting?", "What time is our meeting?"], "l": ["Where do we meet?", "Where is the meeting?"]}),
]
ATTR_S = ["The {at} of {x} is {v}.", "The {at} of {x} is {v}.", "The {at} of {x} was {v}.", "{x} has the {at} {v}.",
          "{v} is the {at} of {x}.", "For {x} the {at} is {v}.", "The {at} for {x} is {v}."]
ATTR_Q = ["What is the {at} of {x}?", "What is the {at} of {x}?", "What {at} does {x} have?", "Tell me the {at} of {x}.",
          "Which {at} does {x} have?", "What is the {at} for {x}?", "What was the {at} of {x}?", "{at} of {x}?"]
VERB_S = ["{p} {past} {z}.", "{p} {past} {z} in {t}.", "{p} {past} {z} on {d}.", "On {d}, {p} {past} {z} in {t}.", "{z} was {done} by {p}.",
          "{p} {past} {z} with {p2}."]
VERB_Q = [("z", "What did {p} {base}?"), ("p", "Who {past} {z}?"), ("t", "Where did {p} {base} {z}?"), ("d", "When did {p} {base} {z}?"),
          ("p2", "With whom did {p} {base} {z}?"), ("z", "Which thing did {p} {base}?"), ("t", "Where was {z}, which {p} {past}?"),
          ("d", "When was it that {p} {past} {z}?")]
FREE_Q = ["What does the text say about {X}?", "What does the text say about {X}?", "What is said about {X}?", "Tell me about {X}.",
          "What about {X}?", "What does the document say about {X}?", "What do we know about {X}?", "Which sentence mentions {X}?",
          "What do the documents say about {X}?", "Find {X}."]


def held_out(*combo):
    return crc(*combo) % 7 == 0


def cap(s):
    return s[:1].upper() + s[1:]


class Fact:
    """sentence; key slots; questions as (question, value)."""

    def __init__(self, sentence, questions, about, marks=None):
        an = lambda t: re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", t)
        self.sentence, self.about = an(sentence), about
        self.questions = [(an(q), an(v)) for q, v in questions]
        self.marks = marks or {about}

    def value_first(self, value):
        return 0 <= self.sentence.lower().find(value.lower()) < 5


def slots_of(template):
    return [p.split("}")[0] for p in template.split("{")[1:]]


def make_fact(w, subject=None, kind=None):
    """One fact, with the questions one may ask about it (each for the right split)."""
    r = w.r
    how = r.random() if kind is None else 0
    if how < .54:
        k = r.randrange(len(KINDS)) if kind is None else kind
        ss, qs = KINDS[k]
        s = r.randrange(len(ss))
        vals = {x: w.get(x) for t in [ss[s]] + [q for v in qs.values() for q in v] for x in slots_of(t)}
        main = slots_of(ss[s])
        if subject and "p" in main:
            vals["p"] = subject
        text = ss[s].format(**vals)
        out = []
        for v, qq in qs.items():
            for q in range(len(qq)):
                need = slots_of(qq[q])
                if v in main and all(x in main for x in need) and held_out(k, s, v, q) == (w.split == "eval" and r.random() < .5):
                    out.append((qq[q].format(**vals), vals[v]))
        names = [vals[x] for x in main if x[0] in "ptoWwPzlid"] or [vals[main[0]]]
        if any(not slots_of(q) for v in qs.values() for q in v):   # such a question names nothing: one fact of the kind in all
            names, subject = ["once"], None
        return Fact(cap(text), [(cap(a), b) for a, b in out], (k, subject if subject in names else names[0]), {(k, n) for n in names})
    if how < .69:
        at = r.choice(ATTRS) if r.random() < .75 else w.word()
        vals = {"at": at, "x": subject or w.get("x"), "v": w.get(r.choice("vvvcnwkdmu"))}
        s = r.randrange(len(ATTR_S))
        qs = [ATTR_Q[q].format(**vals) for q in range(len(ATTR_Q)) if held_out("a", s, q) == (w.split == "eval" and r.random() < .5)]
        return Fact(cap(ATTR_S[s].format(**vals)), [(cap(q), vals["v"]) for q in qs], ("attr", at, vals["x"]))
    if how < .75:
        at, v = r.choice(ATTRS) if r.random() < .7 else w.word(), w.get("v")
        text = r.choice(["The {} is {}.", "The {} is {}.", "{}: {}", "{}: {}", "The {} was {}."]).format(at, v)
        return Fact(cap(text), [(q.format(at), v) for q in ("What is the {}?", "What is the {}?", "What {} is given?", "Tell me the {}.")], ("alone", at))
    if how < .82:
        base, past = r.choice(VERBS) if r.random() < .85 else (lambda x: (x, x + "ed"))(w.word())
        s = r.randrange(len(VERB_S))
        vals = {x: w.get(x) for x in ("p", "z", "t", "d", "p2")}
        vals.update(base=base, past=past, done=PARTICIPLE.get(past, past))
        if subject:
            vals["p"] = subject
        have = slots_of(VERB_S[s])
        qs = [(q.format(**vals), vals[v]) for n, (v, q) in enumerate(VERB_Q)
              if v in have and held_out("v", s, n) == (w.split == "eval" and r.random() < .5)]
        return Fact(cap(VERB_S[s].format(**vals)), [(cap(q), v) for q, v in qs], ("verb", base, vals["p"]))
    return free_fact(w)


def free_fact(w):
    """A free sentence: asked for by any of its words, or by a question of its form."""
    r = w.r

    def thing():
        return w.word() if r.random() < .25 else r.choice(NOUNS)
    a, b, c = thing(), thing(), thing()
    while len({a, b, c}) < 3:
        b, c = thing(), thing()
    form = r.randrange(18)
    adj = lambda: r.choice(ADJ) + " " if r.random() < .35 else ""
    tail = r.choice(ADV)
    tail = " " + tail if tail else ""
    verb, (base, past), place, prep, count = r.choice(VERB3), r.choice(VERBS), w.get("l"), r.choice(PREPS), w.get("s")
    done = PARTICIPLE.get(past, past)
    bare = verb[:-3] + "y" if verb.endswith("ies") else verb[:-2] if verb.endswith(("ches", "sses")) else verb[:-1]
    used = [a, b]
    ask = []
    if form < 5:
        text = f"The {adj()}{a} {verb} the {adj()}{b}{tail}."
        ask = [f"What {verb} the {b}?", f"What does the {a} {bare}?"]
    elif form == 5:
        text = f"Every {a} in {w.get('t')} {verb} a {adj()}{b}{tail}."
        ask = [f"What {verb} every {b}?", f"What does every {a} {bare}?"]
    elif form == 6:
        text = f"{w.get('p')} said that the {a} {verb} the {b}{tail}."
        ask = [f"Who spoke of the {a}?", f"What was said about the {b}?"]
    elif form == 7:
        text = f"A {adj()}{a} with {w.number()} {b}s {verb} {w.get('t')}{tail}."
        ask = [f"How many {b}s does the {a} have?"]
    elif form == 8:
        text = r.choice([f"To {base} the {a}, {bare} the {adj()}{b}{tail}.", f"To {base} the {a}, hold the {b} for {count} seconds.",
                         f"You can {base} the {a} with the {adj()}{b}.", f"Use the {adj()}{b} to {base} the {a}."])
        ask = [f"How do I {base} the {a}?", f"How can I {base} the {a}?", f"How is the {a} {done}?", f"How do you {base} a {a}?"]
    elif form == 9:
        cond = r.choice([f"the {a} is {r.choice(ADJ)}", f"the {a} stops", f"you see a {a}", f"there is no {a}", f"the {a} breaks"])
        text = r.choice([f"If {cond}, we {base} the {b}.", f"If {cond}, please {base} the {b}{tail}.", f"When {cond}, {bare} the {b}."])
        ask = [f"What happens if {cond}?", f"What do we do if {cond}?", f"What should I do when {cond}?", f"What must I do if {cond}?"]
    elif form == 10:
        used = [a]
        text = r.choice([f"Please {base} the {adj()}{a} {prep} {place}.", f"{cap(base)} a {adj()}{a}{tail}.", f"Do not forget to {base} a {a}."])
        ask = [f"What should I {base}?", f"What must I {base}?", f"What do I have to {base}?", f"What should one do with the {a}?"]
    elif form == 11:
        used = [a]
        text = r.choice([f"The {a} is {prep} {place}.", f"The {adj()}{a} is {prep} the {b}.", f"{cap(a)} is {prep} {place}.", f"You find the {a} {prep} {place}."])
        ask = [f"Where is the {a}?", f"Where is the {a}?", f"Where do I find the {a}?", f"Where can one find the {a}?"]
    elif form == 12:
        text = r.choice([f"The {adj()}{a} has {count} {b}s.", f"The {a} could carry {count} {b}s.", f"There are {count} {b}s in the {a}.",
                         f"The {a} holds {count} {b}s{tail}.", f"Its {a} has {count} {b}s."])
        ask = [f"How many {b}s does the {a} have?", f"How many {b}s are there in the {a}?", f"How many {b}s could the {a} carry?", f"How many {b}s?"]
    elif form == 13:
        text = f"The {a} {past} the {b} because the {c} was {r.choice(ADJ)}."
        used = [a, b, c]
        ask = [f"Why did the {a} {base} the {b}?", f"Who {past} the {b}?", f"What did the {a} {base}?", f"Why was the {b} {done}?"]
    elif form == 14:
        used = [a]
        x, y = r.sample(ADJ, 2)
        text = r.choice([f"The {a} is {x} and {y}.", f"The {a} is very {x}.", f"The {a} was {x}, but not {y}.", f"All in all the {a} is {x}."])
        ask = [f"What is the {a} like?", f"How is the {a}?", f"Is the {a} {x}?", f"How would you describe the {a}?"]
    elif form == 15:
        used = [a]
        unit = r.choice("years months minutes days hours weeks seconds".split())
        text = r.choice([f"The {a} lasts {count} {unit}.", f"The {a} takes {count} {unit}.", f"The {adj()}{a} is over after {count} {unit}."])
        ask = [f"How long does the {a} last?", f"How long is the {a}?", f"How long does the {a} take?", f"How many {unit} does the {a} take?"]
    elif form == 16:
        text = r.choice([f"The {a} was {done} by the {adj()}{b} in {w.get('y')}.", f"The {a} was {done} in {w.get('y')} by a {b}.",
                         f"Its first {a} was {done} by the {b} in {w.get('y')}."])
        ask = [f"Who {past} the {a}?", f"When was the {a} {done}?", f"By whom was the {a} {done}?", f"What was {done} by the {b}?"]
    else:
        text = r.choice([f"One should never {base} a {a} without a {b}.", f"We always {base} the {a} before the {b}.", f"Some {a}s can {base} a {b}.",
                         f"Without a {b} nobody can {base} the {a}.", f"The {a} and the {b} {bare} each other{tail}."])
        ask = [f"What can {base} a {b}?", f"How does one {base} a {a}?", f"When do we {base} the {a}?"] if base in text else [f"What do the {a} and the {b} do?"]
    qs = []
    for n, q in enumerate(FREE_Q):
        if held_out("f", n) and w.split == "train":
            continue
        X = r.choice(used)
        qs.append((q.format(X=r.choice(["the " + X, X, "the " + X])), text[:-1]))
    qs += [(q, text[:-1]) for q in ask] * max(1, 9 // len(ask))
    return Fact(cap(text), qs, ("free", *used))


# ---------------------------------------------------------------- documents
def meta(w):
    r = w.r
    site = w.word() + r.choice([".com", ".org", ".net", ".example", ".site", ".info"])
    pool = {
        "date": lambda: f"{r.randint(1950, 2030)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}",
        "url": lambda: r.choice([f"https://{site}/{r.randint(1, 9999)}", f"https://{site}/{w.word()}", f"https://www.{site}/{w.word()}/{r.randint(1, 99)}"]),
        "file": lambda: r.choice([w.word(), r.choice(NOUNS)]) + r.choice([".txt", ".txt", ".md", ".html", ".log"]),
        "title": lambda: r.choice([f"The {r.choice(NOUNS)} of {w.get('t')}", f"{cap(w.word())} news", f"About the {r.choice(NOUNS)}", f"Report {r.randint(1, 99)}"]),
        "author": lambda: w.get("p"),
        "page": lambda: str(r.randint(1, 400)),
        "section": lambda: str(r.randint(1, 20)),
        "part": lambda: f"{r.randint(1, 9)}",
        "id": lambda: w.get("k"),
    }
    x = r.random()
    if x < .35:
        keys = ["date", "url"]
        r.shuffle(keys)
    elif x < .55:
        keys = ["file"] + r.sample(["date", "page", "section", "part", "title"], r.choice((0, 0, 1, 2)))
    else:
        keys = r.sample(list(pool), r.randint(1, 4))
    return {k: pool[k]() for k in keys}


def documents(w, blocks, sentences):
    """-> [{"meta", "text", "facts"}], the facts all told apart by what the questions name."""
    r = w.r
    docs, used, words, free, pool = [], set(), set(), set(), []
    for _ in range(blocks):
        facts, lines, tries = [], [], 0
        n = max(1, sentences // blocks + r.randint(-1, 1))
        while len(facts) < n and tries < 40:
            tries += 1
            f = make_fact(w, r.choice(pool) if pool and r.random() < .3 else None)
            marks = f.marks | ({x for x in f.about[1:]} if f.about[0] == "free" else set())
            # a subject known by a common noun may appear once only
            if marks & used or not f.questions:
                continue
            # "Friday is the last day of the project": the answer starts before the words asked for, which is hard; so show it often
            if w.split == "train" and f.about[0] != "free" and not any(f.value_first(v) for _, v in f.questions) and r.random() < .4:
                continue
            these = set(f.sentence.lower().rstrip(".").replace(",", "").split())
            if f.about[0] == "free" and any(x in words or x + "s" in words for x in f.about[1:]) or these & free:
                continue
            used |= marks
            words |= these
            free |= {x + e for x in f.about[1:] for e in ("", "s")} if f.about[0] == "free" else set()
            facts.append(f)
            if isinstance(f.about[-1], str) and f.about[0] != "free" and f.about[-1][0].isupper():
                pool.append(f.about[-1])
        for f in facts:
            s = f.sentence
            if r.random() < .18:
                lead = r.choice(LEADS)
                s = lead + (s[0].lower() + s[1:] if s.split()[0] in ("The", "A", "Every", "All", "On", "In", "At", "By", "To", "For", "Between")
                            or s.split()[0].lower() in PLURALS or s.split()[0] in ("If", "When", "There", "Use", "You", "Please", "We", "Our", "My", "Some", "One", "Without", "Its", "People", "Because") else s)
            if r.random() < .05:
                s = s[:-1] + r.choice(TAILS) + "."
            lines.append(s)
        x = r.random()
        sep = " " if x < .7 else "\n" if x < .85 else "\n\n"
        text = "".join(x + (sep if x.endswith(".") else "\n") for x in lines).rstrip()
        if r.random() < .08:
            text = r.choice(["# ", "", "== "]) + cap(w.word()) + "\n" + text
        docs.append({"meta": meta(w), "text": text, "facts": facts})
    return docs


def blocks_text(docs):
    out = []
    for d in docs:
        head = "".join(f"{k}: {v}\n" for k, v in d["meta"].items())
        out.append(f"BEGININPUT\nBEGINCONTEXT\n{head}ENDCONTEXT\n{d['text']}\nENDINPUT\n")
    return "".join(out)


def typo(r, q):
    i = r.randrange(3, len(q) - 2) if len(q) > 8 else 0
    return q[:i] + q[i + 1:] if q[i].isalpha() else q


def vary_question(r, q):
    x = r.random()
    if x < .04:
        q = typo(r, q)
    elif x < .10:
        q = q[0].lower() + q[1:]
    elif x < .14:
        q = q.rstrip("?.")
    elif x < .17:
        q = q.lower()
    elif x < .20:
        q = "Please tell me: " + q[0].lower() + q[1:]
    return q


def pick_question(w, docs, absent, pick=None):
    """-> question, answer text without source, value, block or None; pick is the (block, fact) to ask about."""
    r = w.r
    if absent:
        said = " ".join(d["text"] for d in docs).lower()
        same = [x.about[0] for d in docs for x in d["facts"] if isinstance(x.about[0], int) and x.about[1] != "once"]
        for _ in range(30):
            if same and r.random() < (.5 if w.split == "train" else .4):      # the same kind of fact about somebody else
                f = make_fact(w, kind=r.choice(same))
                if f.questions and not any(str(m[1]).lower() in said for m in f.marks):
                    return r.choice(f.questions)[0], REFUSAL, REFUSAL, None
                continue
            f = make_fact(w, r.choice([x.about[-1] for d in docs for x in d["facts"]]) if r.random() < .35 else None)
            abouts = {x.about for d in docs for x in d["facts"]}
            if not f.questions or f.about in abouts:
                continue
            if f.about[0] in ("free", "alone") and any(x.lower() in said for x in f.about[1:]):
                continue
            if any(x.about[0] == f.about[0] and x.about[-1] == f.about[-1] for d in docs for x in d["facts"]):
                continue
            kinds = {x.about[:-1] for d in docs for x in d["facts"]}
            if not isinstance(f.about[-1], str) or (f.about[-1].lower() in said and f.about[:-1] in kinds):
                continue
            q, _ = r.choice(f.questions)
            return q, REFUSAL, REFUSAL, None
    d, f = pick or r.choice([(d, f) for d in docs for f in d["facts"]])
    q, v = r.choice(f.questions)
    if w.split == "train" and r.random() < .6:
        q, v = r.choice([x for x in f.questions if f.value_first(x[1])] or [(q, v)])
    return q, f.sentence, v, d


def closed(rng, blocks=1, sentences=2, turns=9, split="train"):
    """A closed-context conversation: every fact is asked for about once, in any order."""
    w = World(rng, split)
    docs = documents(w, blocks, sentences)
    docs = [d for d in docs if d["facts"]]
    if not docs:
        return closed(rng, blocks, sentences, turns, split)
    pieces, head = [], SYSTEM + "USER: "
    if rng.random() < .07:
        q, a = smalltalk.turn(rng)
        pieces += [(head + q + " ASSISTANT: ", REST), (a, ANSWER), None]
        head = "USER: "
    wrap_all = rng.random() < .4
    picks = [(d, f) for d in docs for f in d["facts"]]
    rng.shuffle(picks)
    for n in range(min(turns, len(picks) + rng.choice((0, 1)))):
        absent = rng.random() < .13
        q, a, _, d = pick_question(w, docs, absent, None if absent or not picks else picks.pop())
        q = vary_question(rng, q)
        src = rng.random() < .5
        ins = q + (SOURCE if src else "") + (HONEST if rng.random() < .6 else "")
        if n == 0 or wrap_all:
            ins = f"BEGININSTRUCTION\n{ins}\nENDINSTRUCTION" + ("\n" if rng.random() < .04 else "")
        if n == 0:
            ins = blocks_text(docs) + ins
        if src and d is not None:
            a += "\nSource:" + "".join(f"\n{k}: {v}" for k, v in d["meta"].items())
        pieces += [(head + ins + " ASSISTANT: ", REST), (a, ANSWER), None]
        head = "USER: "
    return pieces


def copying(rng):
    """Lists said again, and 'after X: the next two'."""
    w = World(rng)
    n = rng.randint(3, 14)
    items = [w.get(rng.choice("pWwntkyidPc")) for _ in range(n)]
    if rng.random() < .3:
        items = [make_fact(w).sentence for _ in range(rng.randint(1, 4))]
    sep = rng.choice([", ", " ", "\n", "; "])
    text = sep.join(items)
    pieces = [(text, REST)]
    for _ in range(rng.randint(1, 3)):
        if rng.random() < .5 or len(items) < 4:
            pieces.append((text, ANSWER))
        else:
            for _ in range(rng.randint(2, 5)):
                i = rng.randrange(len(items) - 2)
                pieces += [("after " + items[i] + ": ", REST), (sep.join(items[i + 1:i + 3]), ANSWER)]
    return pieces + [None]


def chat(rng):
    """Ordinary talk: one to five turns, no documents."""
    r = rng.random()
    if r < .16:
        return smalltalk.scene(rng, SYSTEM, REST, ANSWER)
    pieces, head = [], SYSTEM + "USER: "
    for _ in range(rng.choice((1, 1, 2, 3, 4))):
        if rng.random() < .1:
            f = make_fact(World(rng))
            q, a = (rng.choice(f.questions)[0] if f.questions else "What is the capital of France?"), rng.choice(smalltalk.NO_DOCUMENT)
        else:
            q, a = smalltalk.turn(rng)
        pieces += [(head + q + " ASSISTANT: ", REST), (a, ANSWER), None]
        head = "USER: "
    return pieces


def sample(rng, progress, room):
    """One conversation for a place in the curriculum (progress 0..1); room is the tokens one sequence holds."""
    copies = .7 if progress < .09 else .25 if progress < .2 else .05
    if rng.random() < copies:
        return copying(rng)
    if rng.random() < (.06 if progress < .2 else .14):
        return chat(rng)
    if progress < .15:
        blocks, sentences = 1, rng.randint(1, 3)
    elif progress < .28:
        blocks = rng.choice((1, 1, 2))
        sentences = rng.randint(1, 5) if blocks == 1 else rng.randint(2, 5)
    else:
        blocks = rng.choice((1, 1, 2, 2, 3, 3) if room < 1000 else (1, 1, 2, 2, 3, 3, 4, 5))
        sentences = max(blocks, rng.randint(2, 6 if room < 600 else 11 if room < 1000 else 24))
    return closed(rng, blocks, sentences, 14)


def main():
    ap = argparse.ArgumentParser(description="print samples of the training corpus")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--kind", choices=["closed", "copying", "chat", "mix"], default="mix")
    ap.add_argument("--n", type=int, default=3)
    ap.add_argument("--progress", type=float, default=.9)
    a = ap.parse_args()
    rng = random.Random(a.seed)
    for _ in range(a.n):
        c = {"closed": lambda: closed(rng, rng.randint(1, 3), rng.randint(1, 9)), "copying": lambda: copying(rng),
             "chat": lambda: chat(rng), "mix": lambda: sample(rng, a.progress, 512)}[a.kind]()
        print("=" * 100)
        print("".join("</s>" if p is None else p[0] for p in c))


if __name__ == "__main__":
    main()
