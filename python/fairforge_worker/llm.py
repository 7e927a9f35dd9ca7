"""A LangChain model by the document's own LLMRunner rules: the prompt, ainvoke, the message's content."""
from .results import a, text_of

TRUNCATED = {"length", "max_tokens", "max_output_tokens", "model_length"}
FILTERED = {"content_filter", "content_filtered", "safety", "recitation", "blocklist", "prohibited_content", "spii", "guardrail_intervened"}
REFUSED = {"refusal"}


def _first(holder, *names):
    for name in names:
        value = holder.get(name)
        if isinstance(value, str) and value:
            return value
    return None


def _outcome(text, reason, response):
    word = (reason or "").lower()
    extra = getattr(response, "additional_kwargs", None)
    if word in REFUSED or (isinstance(extra, dict) and extra.get("refusal")):
        return "refused"
    if word in FILTERED:
        return "filtered"
    if word in TRUNCATED:
        return "truncated"
    if not text:
        return "tool_only" if getattr(response, "tool_calls", None) else "empty"
    return "ok"


def _usage(response):
    usage = getattr(response, "usage_metadata", None)
    if not isinstance(usage, dict):
        return None
    counts = {k: usage.get(k) for k in ("input_tokens", "output_tokens", "total_tokens")}
    return {k: v for k, v in counts.items() if type(v) is int and v >= 0} or None


def reply_of(response, ms):
    """The members of a reply to what ainvoke returned."""
    content = response.content if hasattr(response, "content") else str(response)
    text = text_of(content)
    if text is None:
        return {"error": "The model's content is %s, not text." % a(content), "outcome": "bad_reply", "elapsed_ms": ms}
    told = getattr(response, "response_metadata", None)
    told = told if isinstance(told, dict) else {}
    reason = _first(told, "finish_reason", "stop_reason", "stopReason", "done_reason")
    reply = {"answer": text, "outcome": _outcome(text, reason, response), "elapsed_ms": ms}
    for name, value in (("finish_reason", reason), ("model", _first(told, "model_name", "model", "model_id")),
                        ("request_id", _first(told, "request_id", "id")), ("usage", _usage(response))):
        if value:
            reply[name] = value
    return reply
