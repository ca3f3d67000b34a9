"""YAML from elsewhere, read so that no text hangs the project, fills its memory or says something twice."""
import yaml

from util.script import UserError

MOST_BYTES = 1_000_000  # of a file, and characters of a text
MOST_NODES = 100_000    # keys and values; what an alias stands for is counted wherever it stands
DEEPEST = 50            # lists and mappings inside each other
LONGEST_NUMBER = 100    # characters; sexagesimal 1:1:1... of a megabyte would take hours
LARGEST_INT = 2 ** 63

_PREFIX = 'tag:yaml.org,2002:'
_TAGS = {_PREFIX + name for name in ('null', 'bool', 'int', 'float', 'str', 'seq', 'map', 'merge')}


class _Loader(yaml.SafeLoader):
    """SafeLoader for what a config may hold, bounded, with the key named where something is wrong.

    A date is a text here: no key takes one.
    """
    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _TAGS]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}

    def __init__(self, text):
        super().__init__(text)
        self.path = []   # keys and indices that lead to the present node
        self.nodes = 0   # so far, aliases expanded
        self.sizes = {}  # anchor -> nodes that it stands for

    def compose_node(self, parent, index):
        """PyYAML's own, with the bounds checked before and the values after."""
        event = self.peek_event()
        self.path.append(index.value if isinstance(index, yaml.ScalarNode) else index)
        if isinstance(parent, yaml.MappingNode) and index is None and not isinstance(event, yaml.ScalarEvent):
            self._refuse(event, 'a key must be a word')
        if getattr(event, 'tag', None) not in {None, '!', *_TAGS}:
            self._refuse(event, f'the tag {event.tag} is not allowed')
        if len(self.path) > DEEPEST:
            self._refuse(event, f'more than {DEEPEST} lists and mappings inside each other')
        before = self.nodes
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.sizes:
                self._refuse(event, f'*{event.anchor} stands for nothing, or for what it lies in')
            self.nodes += self.sizes[event.anchor]
        else:
            self.nodes += 1
        if self.nodes > MOST_NODES:
            self._refuse(event, f'more than {MOST_NODES} keys and values')
        node = super().compose_node(parent, index)
        if isinstance(event, yaml.ScalarEvent):
            self._check_scalar(node)
        elif isinstance(event, yaml.MappingStartEvent):
            self._check_keys(node)
        if not isinstance(event, yaml.AliasEvent):
            self.sizes[event.anchor] = self.nodes - before
        self.path.pop()
        return node

    def _check_scalar(self, node):
        kind = node.tag.removeprefix(_PREFIX)
        if kind in ('int', 'float') and len(node.value) > LONGEST_NUMBER:
            self._refuse(node, f'a number of {len(node.value)} characters')
        if kind in ('merge', 'map', 'seq'):  # not made of one scalar; PyYAML refuses the last two
            return
        try:
            value = self.construct_object(node)
        except (ValueError, LookupError, OverflowError):
            self._refuse(node, f'{node.value!r} is no {kind}')
        if kind == 'int' and abs(value) >= LARGEST_INT:
            self._refuse(node, f'{value} is out of range')
        if kind == 'str' and any(c == '\0' or '\ud800' <= c <= '\udfff' for c in value):
            self._refuse(node, 'a character that no text has')

    def _check_keys(self, node):
        lines = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if key.tag not in (_PREFIX + 'str', _PREFIX + 'merge'):
                self._refuse(key, f'a key must be a word; found {key.value}, which YAML reads as another type')
            if key.value in lines:
                self.path.append(key.value)
                self._refuse(key, f'this key is given twice, in line {lines[key.value]} and in line {line}')
            lines[key.value] = line

    def _refuse(self, place, problem):
        keys = '.'.join(str(key) for key in self.path if key is not None)
        raise yaml.YAMLError(f'line {place.start_mark.line + 1}: {keys}{": " if keys else ""}{problem}')


def load_yaml(text, source):
    """The value of a YAML text: numbers, words, lists and mappings with words for keys.

    Args:
        text (str): YAML.
        source (str): What it is called in error messages, usually the file's path.

    Returns:
        What the text says; None for an empty one.

    Raises:
        UserError: One line that names ``source``, and the key where a value is wrong: if the text is no YAML, gives a
            key twice, has tags of other types, or is larger or deeper than any config.
    """
    if len(text) > MOST_BYTES:
        raise UserError(f'{source}: a text of {len(text)} characters; at most {MOST_BYTES} are read')
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        reason = ' '.join(str(error).split())
    except (ValueError, OverflowError) as error:  # an escape that stands for no character, such as "\U00110000"
        reason = str(error)
    raise UserError(f'{source}: not valid YAML: {reason}') from None
