"""The words of the models: concepts, colours, scenes and styles, and how they are spelt."""

import random
from typing import Final, NamedTuple

# One concept: its emoji, then the names that captions use (the first is the main one).
_TABLE: Final = """
🐱 cat,kitten|🐶 dog,puppy|🦊 fox|🐻 bear|🐼 panda|🐨 koala|🦁 lion|🐯 tiger|🐰 rabbit,bunny|🐸 frog
🐷 pig|🐮 cow|🐭 mouse|🐹 hamster|🐺 wolf|🐵 monkey|🐻‍❄️ polar bear|🐎 horse|🦄 unicorn|🦓 zebra
🦒 giraffe|🐘 elephant|🐪 camel|🐑 sheep|🦌 deer|🦔 hedgehog|🦇 bat|🐔 chicken,hen|🐤 chick
🐧 penguin|🦉 owl|🦆 duck|🦅 eagle|🦩 flamingo|🦚 peacock|🦜 parrot|🐢 turtle,tortoise|🐍 snake
🐉 dragon|🦖 t-rex,dinosaur|🐳 whale|🐬 dolphin|🐠 fish,tropical fish|🦈 shark|🐙 octopus|🦀 crab
🐌 snail|🦋 butterfly|🐝 bee,honeybee|🐞 ladybug|🐊 crocodile|🐿️ squirrel,chipmunk
🌹 rose,red rose|🌻 sunflower|🌷 tulip|🌸 cherry blossom,pink flower|🌲 pine tree,fir tree
🌳 tree|🌴 palm tree|🌵 cactus|🍀 four leaf clover,clover|🍁 maple leaf|🍄 mushroom
🪴 potted plant|💐 bouquet of flowers,bouquet|🍎 red apple,apple|🍏 green apple|🍌 banana
🍇 grapes,bunch of grapes|🍉 watermelon|🍊 orange,tangerine|🍋 lemon|🍍 pineapple|🍐 pear
🍑 peach|🍒 cherries|🍓 strawberry|🥝 kiwi|🍅 tomato|🥑 avocado|🍆 eggplant|🥕 carrot|🌽 corn
🥦 broccoli|🍞 bread,loaf of bread|🥐 croissant|🥨 pretzel|🥞 pancakes,stack of pancakes
🧀 cheese|🍔 hamburger,burger|🍟 french fries,fries|🍕 pizza,slice of pizza|🌭 hot dog|🌮 taco
🍿 popcorn|🍣 sushi|🍦 ice cream|🍩 donut,doughnut|🍪 cookie|🎂 birthday cake,cake|🧁 cupcake
🍫 chocolate bar,chocolate|🍭 lollipop|☕ cup of coffee,coffee|🫖 teapot|🍺 beer,mug of beer
🍷 glass of wine,wine|🍯 honey pot,pot of honey|🚂 steam train,locomotive|🚌 bus|🚑 ambulance
🚒 fire truck,fire engine|🚓 police car|🚕 taxi,yellow taxi|🚗 car,red car|🚙 blue car,blue suv
🚚 truck|🚜 tractor|🏎️ racing car,race car|🏍️ motorcycle|🛵 scooter|🚲 bicycle,bike|⛵ sailboat
🚢 ship|✈️ airplane,plane|🚁 helicopter|🚀 rocket|🛸 ufo,flying saucer|🌋 volcano
🏔️ mountain,snowy mountain|🏠 house|🏰 castle|⛪ church|🗼 tower,tokyo tower
🗽 statue of liberty|⛺ tent|🎡 ferris wheel|⛲ fountain|☀️ sun|🌙 moon,crescent moon
🪐 saturn,planet|⭐ star|☁️ cloud|🌈 rainbow|⚡ lightning,lightning bolt|❄️ snowflake
⛄ snowman|🔥 fire,flame|🌊 wave|🌍 earth,planet earth|☂️ umbrella|🎃 pumpkin,jack-o-lantern
🎄 christmas tree|🎈 balloon,red balloon|🎁 gift,present|🏆 trophy|⚽ soccer ball,football
🏀 basketball|🎾 tennis ball|🎯 target,dartboard|🔮 crystal ball|🎲 dice|🧸 teddy bear
🎨 palette,paint palette|🎮 game controller,gamepad|👓 glasses|🕶️ sunglasses|👕 t-shirt
👟 sneaker,shoe|👑 crown|🎩 top hat,hat|💍 ring|💎 diamond,gem|🔔 bell|🎧 headphones|🎸 guitar
🎹 piano|🎻 violin|🎺 trumpet|🥁 drum|📱 phone,smartphone|💻 laptop,computer|📷 camera
📺 tv,television|💡 light bulb|🕯️ candle|📚 books,stack of books|💰 money bag|✏️ pencil|🔑 key
🔨 hammer|🗡️ dagger,sword|🛡️ shield|💣 bomb|⏰ alarm clock,clock|⌛ hourglass|🧲 magnet
🔭 telescope|🔬 microscope|🪑 chair|🚪 door|🎒 backpack|⚓ anchor|🧭 compass|❤️ red heart,heart
💙 blue heart|💚 green heart|💛 yellow heart|💜 purple heart|😀 smiley,smiling face|😎 cool face
😢 crying face|😡 angry face|🤖 robot|👻 ghost|👽 alien|💀 skull|🤡 clown|🗿 moai,stone head
"""


class Concept(NamedTuple):
    """One drawable thing: the asset's file name without suffix, and its names."""

    code: str
    names: tuple[str, ...]


def _parse(entry: str) -> Concept:
    """Read one entry of the table."""
    emoji, names = entry.strip().split(" ", 1)
    code = "-".join(f"{ord(mark):04x}" for mark in emoji)
    return Concept(code, tuple(name.strip() for name in names.split(",")))


CONCEPTS: Final = tuple(
    _parse(entry) for line in _TABLE.strip().splitlines() for entry in line.split("|")
)

# The denoiser learns these; the tokenizer and the first autoencoder see every concept.
ACTIVE: Final = frozenset(
    {
        "cat", "dog", "fox", "panda", "frog", "penguin", "sunflower", "tree", "cactus",
        "mushroom", "red apple", "banana", "strawberry", "pizza", "donut", "car", "rocket",
        "sailboat", "house", "castle", "red heart", "smiley", "ghost", "pumpkin",
    }
)  # fmt: skip

# Background colour names and their RGB values, 0 to 255.
COLOURS: Final[dict[str, tuple[int, int, int]]] = {
    "white": (246, 246, 246),
    "black": (22, 22, 26),
    "grey": (142, 146, 152),
    "red": (208, 44, 48),
    "orange": (246, 140, 42),
    "yellow": (252, 214, 66),
    "green": (64, 168, 80),
    "teal": (22, 148, 146),
    "sky blue": (136, 204, 250),
    "blue": (46, 98, 222),
    "navy": (22, 34, 88),
    "purple": (126, 66, 184),
    "pink": (252, 164, 198),
    "brown": (124, 80, 50),
    "beige": (236, 218, 186),
}

# Scene phrases, each with its synonym.
SCENES: Final[dict[str, str]] = {
    "on the grass": "on a meadow",
    "on the beach": "at the beach",
    "in space": "in outer space",
    "in the snow": "in a snowy landscape",
    "in the desert": "in a desert",
    "at sunset": "at dusk",
    "at night": "in the night",
    "under water": "in the sea",
    "in the forest": "in a forest",
    "in the city": "in a city",
    "in the mountains": "in front of mountains",
}

STYLES: Final = (
    "a photo of ",
    "a picture of ",
    "an illustration of ",
    "a 3d render of ",
    "an image of ",
    "a drawing of ",
)

_UNCOUNTED: Final = (
    "s", "sheep", "fish", "fries", "broccoli", "corn", "bread", "lightning",
)  # fmt: skip
_SINGULAR_IN_S: Final = frozenset(
    {"cactus", "octopus", "bus", "compass", "french fries", "glass of wine"}
)
_NO_ARTICLE: Final = frozenset(
    {
        "corn", "broccoli", "bread", "cheese", "coffee", "beer", "wine", "fire", "lightning",
        "popcorn", "sushi", "earth", "saturn", "fries", "french fries",
    }
)  # fmt: skip


def plural(name: str) -> str:
    """Spell the plural of a concept's name."""
    irregular = {"mouse": "mice", "wolf": "wolves"}
    if name in irregular:
        return irregular[name]
    if name.endswith(_UNCOUNTED):
        return name
    if name.endswith(("ch", "sh", "x")):
        return name + "es"
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + "s"


def with_article(name: str, rng: random.Random) -> str:
    """Put an article before a name, most of the time."""
    ends_in_s = name.endswith("s") and name not in _SINGULAR_IN_S
    if ends_in_s or name in _NO_ARTICLE:
        return name
    draw = rng.random()
    if draw < 0.25:
        return name
    if draw < 0.4:
        return "the " + name
    vowel = name[0] in "aeio" or name.startswith("umb")
    return ("an " if vowel else "a ") + name


def colour_phrase(colour: str, rng: random.Random) -> str:
    """Word a plain background in one of the ways the models know."""
    article = "an" if colour[0] in "aeiou" else "a"
    full = f"on {article} {colour} background"
    return rng.choice([full, full, f"{colour} background", f"on {colour}"])
