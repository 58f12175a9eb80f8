"""Aliases for artifacts that nobody named: adjective, noun, verb and adverb."""

from domain.artifact.names import RandomChoice

_ADJECTIVES = """
amber brave bright brisk calm careful clear clever copper crisp curious dapper deep eager early even fair fast fine
fresh gentle glad golden grand green happy honest humble icy jolly keen kind late light lively lucid lucky mellow
mild modest neat noble olive open patient plain plucky polite proud quick quiet rapid ready round rustic sharp shiny
silent silver simple sleek smooth snug soft solid spry steady sunny swift tall tidy true vast vivid warm wise witty
young zesty
""".split()
_NOUNS = """
acorn anchor badger bamboo beacon birch bison breeze brook canyon cedar cherry cliff cloud clover comet coral crane
creek daisy delta dolphin dune eagle ember falcon fern field finch fjord forest fox garden glacier grove harbor
hazel heron hill island ivy jasper lagoon lake lark leaf lily lotus lynx maple marsh meadow mesa moon moss oak ocean
orchid otter owl panda pebble pine planet pond prairie quartz rabbit raven reef ridge river robin sage seal shore
spruce star stone swan thistle tiger trail tulip valley walnut willow wren
""".split()
_VERBS = """
asks bakes bends blinks blooms bounces builds calls carves chats claps climbs counts crafts dances dives draws
dreams drifts drums fishes flies floats flows gathers gazes gives glides glows grins grows hikes hops hums hunts
jogs joins jumps keeps knits laughs leads leaps learns lifts listens looks marches mends moves nods paces paints
plans plants plays pours prints races reads rests rides rises roams rolls rows runs sails sees sews shares shines
signs sings sits skates skips sleeps smiles soars speaks spins stands starts strolls swims talks teaches thinks
travels turns waits wakes walks waves weaves whistles winks works writes
""".split()
_ADVERBS = """
ably abroad again ahead alike almost alone aloud already always apart aside away awhile badly barely below better
boldly bravely brightly briskly calmly clearly closely coolly daily deeply duly eagerly early easily evenly fairly
far fast finely firmly fondly freely fully gently gladly gravely happily here highly home indeed keenly kindly
lately lightly loudly merely mildly nearby neatly newly nicely nobly often once openly outside plainly politely
proudly quickly quietly rapidly rarely really safely sharply silently slowly smoothly softly soon steadily surely
swiftly tenderly there tidily today together truly twice upward usually vastly warmly weekly well widely wisely
yearly
""".split()


def random_alias(choose: RandomChoice) -> str:
    """Make an alias of four random words, one of more than fifty million."""
    return "-".join(words[choose(len(words))] for words in (_ADJECTIVES, _NOUNS, _VERBS, _ADVERBS))
