"""What the reference's Lambda does before its first event: the imports of its handler and of the four classes that a payload can name, then the request
for an event. Its run.py imports a class with the first payload that names it; the image exists to hold all four.
"""
import asyncio  # noqa: F401
import importlib
import os
import urllib.request

from fair_forge.runners import AlquimiaRunner  # noqa: F401
from fair_forge.schemas import Batch, Dataset  # noqa: F401

for module, name in (("langchain_groq.chat_models", "ChatGroq"), ("langchain_openai.chat_models", "ChatOpenAI"),
                     ("langchain_google_genai.chat_models", "ChatGoogleGenerativeAI"), ("langchain_ollama.chat_models", "ChatOllama")):
    getattr(importlib.import_module(module), name)

urllib.request.urlopen("http://%s/2018-06-01/runtime/invocation/next" % os.environ["AWS_LAMBDA_RUNTIME_API"])
