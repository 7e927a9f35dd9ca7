"""Classes that look like LangChain's, without LangChain."""
import asyncio

from raised import RAISED


class SecretStr:
    pass


class Field:
    def __init__(self, annotation, alias=None):
        self.annotation, self.alias = annotation, alias


class Message:
    def __init__(self, content, **more):
        self.content = content
        self.response_metadata, self.usage_metadata, self.additional_kwargs, self.tool_calls = {}, None, {}, []
        vars(self).update(more)


MESSAGES = {
    "parts": Message([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
    "length": Message("cut", response_metadata={"finish_reason": "length", "model_name": "m-1", "id": "r-1"},
                      usage_metadata={"input_tokens": 3, "output_tokens": 4, "total_tokens": 7, "input_token_details": {}}),
    "max tokens": Message("cut", response_metadata={"stop_reason": "max_tokens", "model": "claude"}),
    "refusal": Message("", response_metadata={"stop_reason": "refusal"}),
    "openai refusal": Message("", additional_kwargs={"refusal": "I cannot."}),
    "filtered": Message("", response_metadata={"finish_reason": "SAFETY"}),
    "tools": Message("", tool_calls=[{"name": "f"}], response_metadata={"finish_reason": "tool_calls"}),
    "empty": Message(""),
    "object": Message({"a": 1}),
    "plain": "just text",
    "number": 42,
}


class Chat:
    """Fields as pydantic tells of them."""

    model_fields = {"model_name": Field(str, "model"), "api_key": Field(SecretStr), "temperature": Field(float)}

    def __init__(self, **given):
        if "model" not in given:
            raise ValidationError()
        self.given = given

    async def ainvoke(self, prompt):
        await asyncio.sleep(0)
        if prompt in RAISED:
            RAISED[prompt]()
        if prompt == "given":
            return Message(repr(sorted(self.given.items())))
        return MESSAGES.get(prompt) or Message("You said: " + prompt)


class ValidationError(ValueError):
    def errors(self):
        return [{"loc": ("model",), "msg": "Field required", "input": {"api_key": "sk-secret"}}]

    def __str__(self):
        return "1 validation error: input_value={'api_key': 'sk-secret'}"


class Other:
    pass
