"""The official prompt, as src/prompt/template.rs has it."""

PREFIX = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
    'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n'
)
SUFFIX = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
QUERY_END = "\n<Document>:"
INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"


def shared(instruction: str = INSTRUCTION) -> str:
    """What all queries with one instruction start with."""
    return f"{PREFIX}<Instruct>: {instruction}\n<Query>:"


def head(instruction: str, query: str) -> str:
    """All of a prompt before the document."""
    return f"{shared(instruction)} {query}{QUERY_END}"
