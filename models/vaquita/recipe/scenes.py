"""Scenes: characters with invented names whose manner stands in the scene's text, and replies that keep the rules.

A manner is a mood, a trade and a tic; what a character says follows from these words, so that they must be read. One scene
in four has the six stock characters of the program's own scenes (smalltalk.py).
"""
import re

import smalltalk
import words as W
from freetext import free_fact
from places import Guide, Place
from world import World, cap

MOODS = {  # what they do between words
    "grumpy": "growls|frowns|waves a hand|snorts", "cheerful": "laughs|claps|beams|hops", "solemn": "bows|nods slowly|closes both eyes", "nervous": "swallows|looks around|wrings both hands",
    "polite": "bows|smiles|takes off a hat", "retired": "leans back|sighs|strokes a chin", "young": "jumps up|grins|runs around", "old": "coughs|leans on a stick|squints",
    "brave": "stands up|raises a fist|steps forward", "lazy": "yawns|stretches|sinks deeper into the chair", "proud": "lifts a chin|folds both arms", "shy": "looks at the floor|whispers|blushes",
    "clever": "raises a finger|winks|taps a temple", "sleepy": "yawns|rubs both eyes|blinks", "sad": "sighs|wipes away a tear|stares out", "angry": "bangs on the table|glares|stamps a foot",
    "curious": "leans closer|peers|tilts a head", "mysterious": "smiles thinly|looks away|lowers a hood", "noisy": "shouts|whistles|bangs a pot", "famous": "waves|poses|adjusts a scarf",
    "gentle": "smiles|pats a shoulder|hums", "strict": "points|frowns|knocks on wood", "forgetful": "scratches a head|searches every pocket", "lonely": "looks up|draws near|sighs",
    "rich": "jingles coins|smooths a sleeve", "tired": "leans on the wall|groans|sits down", "wild": "roars|spins around|throws up both arms", "careful": "tests the floor|looks twice|steps back"}

TICS = [  # (the tic, with {x} a noun; what is said of {t}, the topic; {T} begins a sentence)
    ("who counts everything", "{T}, again. That makes {n} today.|I have counted {t} for {n} years.|One, two, {n}. And then {t}.|{n} times I saw {t}, and {n} times I wrote it down."),
    ("who counts {xs}", "{n} {xs}, and now {t}.|{T}? I lost count of my {xs}.|There were {n} {xs} before {t} came.|First the {xs}, then {t}. That is {n} in all."),
    ("who speaks in short bursts", "Oh! {T}! Good!|{T}? Yes! Now!|Ha! Look! {T}!|Quick! {T}! Come!"),
    ("who is afraid of {xs}", "{T} is fine, as long as there is no {x}.|Is that a {x}? Oh, only {t}.|I would see to {t}, but what if there is a {x}?|No {xs} near {t}, I hope."),
    ("who compares everything with {xs}", "{T} is like a {x}: better left alone.|I know {t}. It is just like a {x}.|A {x} and {t}, where is the difference?|You treat {t} as you would a {x}."),
    ("who talks to the {xs}", "What do you say of {t}, my dear {xs}?|The {xs} tell me all about {t}.|Hush, {xs}, it is only {t}.|I asked the {xs}. They do not care for {t}."),
    ("who apologises all the time", "Sorry, it is about {t}. Sorry.|Forgive me, I did not mean {t}.|I am so sorry for {t}, truly.|Pardon me. {T}, I beg your pardon."),
    ("who whispers", "Psst. {T}. Not so loud.|Quietly now, it is {t}.|Softly. {T} may hear us.|Hush. Let us whisper of {t}."),
    ("who rhymes", "{T}, so they say, is here to stay.|{T} by night is quite a sight.|I met {t} once, in the rain; I shall not go there again.|Near and far, there we are, with {t} under a star."),
    ("who remembers every {x}", "I remember a {x} from before {t}.|Every {x} comes back to me, and so does {t}.|{T}! That was the year of the great {x}.|There was a {x} once, just like {t}."),
    ("who measures everything", "{T} is {n} inches wide. I measured it.|Give or take an inch, {t} comes to {n}.|Let me measure {t} first.|{n} by {n}. That is {t} for you."),
    ("who reports numbers", "Report: {t}, {n} percent.|Report: {n} units of {t}.|Value of {t}: {n}. End of report.|Report: {t} is at {n}."),
    ("who sees signs everywhere", "{T} is a sign.|I saw it coming: {t}, under a red moon.|The signs speak of {t}.|A {x} at dawn, {t} at dusk. You know what that means."),
    ("who never believes anything", "{T}? I do not believe it.|That is no {x}, and {t} is no proof.|Show me {t}, then we shall see.|They say {t}. I say nonsense."),
    ("who agrees with everybody", "Yes, yes, {t}, quite so.|I agree about {t}. Entirely.|Just what I thought of {t}.|{T}, of course. You are right."),
    ("who sells {xs}", "{T}? Buy a {x} instead.|For {t} you need a good {x}. I have {n}.|A {x}, sir? It goes well with {t}.|Two {xs} for the price of {t}!"),
    ("who dreams of {xs}", "I dreamed of a {x}, and then of {t}.|{T} was in my dream, beside the {x}.|One day I shall have a {x}, and forget {t}.|If only {t} were a {x}."),
    ("who always says \"{w}\"", "{W}! {T}, then.|{T}, {w}, that is all I say.|{W}, {w}! What a thing, {t}.|I say {w} to {t}."),
    ("who quotes a grandmother", "My grandmother had a word for {t}.|Never touch {t}, my grandmother used to say.|{T}, as my grandmother said, comes before the {x}.|Ask my grandmother about {t}."),
    ("who complains about the {x}", "First the {x}, now {t}.|With such a {x}, who can think of {t}?|I blame the {x} for {t}.|{T} I could bear. The {x}, never."),
    ("who loves {xs}", "{T} is nice, but a {x} is nicer.|Give me a {x} and I will look at {t}.|I would trade {t} for one {x}.|Oh, {t}! Is there a {x} in it?"),
    ("who gives orders", "You there, see to {t}!|{T}: left, right, halt!|I want {t} here by {n} o'clock.|Everybody line up behind {t}!"),
    ("who asks questions", "What is {t}, and who made it?|Why {t}? Why now?|Did you see {t}? And the {x}?|Where does {t} end?"),
    ("who spells things out", "{T}, that is, {t}.|I say it slowly: {t}.|Let me be plain. {T}.|Word for word: {t}."),
    ("whose spells go wrong", "Abra, {w}, {t}! Oh dear.|I wanted to vanish {t}, and now there is a {x}.|One more spell and {t} is a {x}.|{W}! No, that was not {t}."),
    ("who is always hungry", "Can one eat {t}?|{T} with salt, and a slice of {x}.|I cannot think of {t} before supper.|{T} makes me hungry."),
    ("who thinks of the sea", "{T} smells of the sea.|On a ship, {t} would be lashed down.|The tide brings {t}, the tide takes it.|I knew {t} when I was at sea."),
    ("who mistrusts every {x}", "That {x} has something to do with {t}.|Watch the {x}, not {t}.|{T}! I knew it was the {x}.|Where there is a {x}, there is {t}."),
]
RULES = ["be sure to use the manerisms and speaking style of the characters correctly", "surround character actions with asterisks",
         "always put quotes around words spoken by the characters", "use a new line for each character's actions or speech",
         "always prefix actions/speech with the character's name and colon"]
ROOMS = ("a quiet library|a harbour inn|a castle hall|a train in the night|a warm kitchen|the top of a tower|a busy market|a small theatre|a local cafe|a school yard|a ship's cabin|"
         "an empty station|a greenhouse|the back of a lorry|a museum after hours|a tent in the desert|a barber's shop|a police station|the moon base|a cave by the sea|a bakery at dawn|"
         "a snowed-in hut|the town hall|a hospital corridor|a farm|a lighthouse|a bus that does not move").split("|")
OPENINGS = ("Generate a single interaction between {cast} to start, with one sentence each.|Generate a single interaction between {cast} to start.|Let {cast} begin, with one sentence each.|"
            "Start with one line each from {cast}.|Begin the scene.").split("|")
LINES = ("Hello! What about {t}?|I have heard about {t}. What do you say?|*enters* Sorry I'm late! What about {t}?|What do you think of {t}?|*looks around* Has anyone seen {t}?|Tell me about {t}.|*points at {t}*|"
         "Look, {t}!|Did you bring {t}?|And {t}?|*sits down* I keep thinking of {t}.|We must talk about {t}.|Who left {t} here?|I am worried about {t}.|*knocks* It is about {t}.|So, {t}. Any ideas?|"
         "What shall we do with {t}?|I saw {t} on the way here.|Somebody told me about {t}!|*whispers* Is that {t}?|Enough. What about {t}?|Why is everybody so quiet about {t}?").split("|")


class Character:
    def __init__(self, w):
        r = w.r
        x = r.random()
        self.name = w.person() if x < .4 else w.name() if x < .7 else r.choice(("Old", "Little", "Sir", "Lady", "Doctor", "Captain", "Uncle", "Madam", "Brother", "Miss", "Big", "Robot")) + " " + w.name()
        self.mood, self.tic = r.choice(list(MOODS)), r.choice(TICS)
        self.noun, self.pet = r.choice(W.NOUNS) if r.random() < .8 else w.word(), w.word()
        job = r.choice(W.JOBS + W.ANIMALS[:8] + ["machine", "ghost", "robot", "poet", "dragon", "king", "fortune teller", "clockmaker", "smuggler", "widow", "clown"])
        tic = self.tic[0].format(x=self.noun, xs=W.plural(self.noun), w=self.pet)
        self.about = r.choice((f"a {self.mood} {job} {tic}.", f"a {self.mood} {job} {tic}", f"{self.mood}, a {job} {tic}.", f"a {job} {tic}. Rather {self.mood}."))
        self.about = self.about.replace("a old", "an old").replace("a angry", "an angry").replace("a engineer", "an engineer")

    def speech(self, r, topic):
        n = r.choice(("three", "seven", "nine", "twelve", "forty", "two hundred", str(r.randint(2, 99))))
        return cap(r.choice(self.tic[1].split("|")).format(t=topic, T=cap(topic), n=n, x=self.noun, xs=W.plural(self.noun), w=self.pet, W=cap(self.pet)))

    def line(self, r, topic):
        text, act, x = f'"{self.speech(r, topic)}"', r.choice(MOODS[self.mood].split("|")), r.random()
        if x < .35:
            return f"{self.name}: {text}"
        if x < .65:
            return f"{self.name}: *{act}* {text}"
        if x < .85:
            return f"{self.name}: {text} *{act}*"
        return f"{self.name}: {text}\n*{self.name} {act}*"


def make_topic(w):
    r = w.r
    return r.choice((lambda: f"the {r.choice(W.NOUNS)}", lambda: f"the {r.choice(W.ADJ)} {r.choice(W.NOUNS + W.ITEMS)}", lambda: f"the {r.choice(W.NOUNS)} of {w.name()}", lambda: f"the {r.choice(W.ITEMS)}",
                     lambda: f"{w.name()}", lambda: f"the {w.word()}"))()


def join(names, last):
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" {last} " + names[-1]


def invented(r, system, rest, answer):
    w = World(r)
    w.known = []
    cast = [Character(w) for _ in range(r.choice((1, 2, 2, 2, 3, 3, 4)))]
    names, user = [c.name for c in cast], w.name() if r.random() < .8 else r.choice(W.FIRST)
    topic = make_topic(w)
    text = "Characters:\n" + "".join(f"- {c.name}, {c.about}\n" for c in cast)
    text += f"- USER/{user} - don't generate any speech or actions on behalf of {user}\n\n"
    if r.random() < .15:
        c = r.choice(cast)
        text += f"About {c.name}:\nPersonality: {c.mood}, {r.choice(W.ADJ)}\n\n"
    rules = RULES + [f"only generate text and actions on behalf of {join(names, 'or')}, and never anyone else"]
    text += "Rules:\n" + "\n".join(f"- {x}" for x in rules if r.random() < .93)
    if r.random() < .95:
        text += "\n\n" + r.choice(("Conversation will revolve around {t}, in {l}.", "Conversation will revolve around {t}, in {l}.", "The scene is {l}. The talk is about {t}.", "It is late, in {l}. Everybody thinks of {t}."
                                   )).format(t=topic, l=r.choice(ROOMS)) + aside(w)
    pieces, topics, head, x = [], [], system + "USER: ", r.random()

    def reply(order, t):
        topics.append(t)
        return "\n".join(c.line(r, t) for c in order)

    if x < .2:                                              # a greeting stands before the user's first line
        pieces += [(head + text + " ASSISTANT: ", rest), (reply(cast, topic), answer), None]
        head = "USER: "
    elif x < .6:
        text += "\n\n" + r.choice(OPENINGS[:1] * 4 + OPENINGS).format(cast=join(names, "and"))
        pieces += [(head + text + " ASSISTANT: ", rest), (reply(cast, topic), answer), None]
        head = "USER: "
    else:
        head += text + "\n\n"
    for _ in range(r.choice((1, 2, 2, 3))):
        topic = topic if r.random() < .2 else make_topic(w)
        line, order = r.choice(LINES).format(t=topic), list(cast)
        if r.random() < .2:                                 # somebody is spoken to, and answers first
            first = r.choice(cast)
            line = f"{first.name}, {line[0].lower() + line[1:]}" if line[0] not in "*I" else f"{line} {first.name}?"
            order = [first] + ([c for c in cast if c is not first] if r.random() < .6 else [])
        pieces += [(head + line + " ASSISTANT: ", rest), (reply(order, topic), answer), None]
        head = "USER: "
    return guided(pieces, names, topics)


def guided(pieces, names, topics):
    """The same; each answer with where its lines' names are listed, and where what it talks of was said last."""
    places = {n: Place(0, at, at + len(n)) for n in names for at in (pieces[0][0].index(f"- {n},") + 2,)}
    out, left = [], list(topics)
    for p in pieces:
        if p is not None and len(out) % 3 == 1:
            found, at, topic = [], 0, left.pop(0)
            asked = max((n for n in (0, len(out) - 1) if topic in pieces[n][0]), default=None)
            for line in p[0].split("\n"):
                found += [(at, places[n]) for n in names if line.startswith(n + ":")]
                at += len(line) + 1
            if asked is not None:
                begin = pieces[asked][0].rindex(topic)
                found += [(m.start(), Place(asked, begin, begin + len(topic))) for m in re.finditer(re.escape(topic), p[0], re.I)]
            p = (*p, False, Guide(names=found))
        out.append(p)
    return out


def aside(w):
    """What a setting goes on with, now and then."""
    return "".join(" " + free_fact(w).sentence for _ in range(w.r.choice((0, 0, 0, 1, 2, 4))))


def scene(r, system, rest, answer):
    if r.random() < .3:
        w = World(r)
        return guided(*smalltalk.scene(r, system, rest, answer, lambda: make_topic(w), ROOMS, aside(w)))
    return invented(r, system, rest, answer)
