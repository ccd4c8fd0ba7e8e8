"""What kind of trouble an agent is in: by what its program states first, by words last, by its own message never.

A program states an HTTP status or an error's code in its stream; what its model or its person wrote is no evidence.
Words are read where nothing is stated: of the error that the program reports, then of standard error.
"""

import re
from enum import StrEnum

from autoresearch.experiment.briefing import plain


class Trouble(StrEnum):
    """Why an agent did not do its work."""

    LOGIN = "login"
    QUOTA = "quota"
    RATE = "rate-limit"
    MODEL = "model"
    CONTEXT = "context"
    REFUSAL = "refusal"
    FAILURE = "failure"
    UNKNOWN = "unknown"


_CODES = {
    Trouble.QUOTA: (
        "insufficient_quota billing_error billing_not_active insufficient_credits usage_limit_reached usage_limit "
        "credit_balance_too_low payment_required error_max_budget_usd quota_exceeded spend_limit_reached"
    ),
    Trouble.LOGIN: (
        "authentication_failed authentication_error invalid_api_key permission_error permission_denied unauthenticated "
        "unauthorized oauth_org_not_allowed account_deactivated token_expired expired_token providerautherror "
        "accessdeniedexception expiredtokenexception unrecognizedclientexception authenticationerror "
        "permissiondeniederror "
        "unsupported_country_region_territory"
    ),
    Trouble.MODEL: "model_not_found notfounderror not_found_error not_found providermodelnotfounderror",
    Trouble.CONTEXT: (
        "context_length_exceeded contextwindowexceedederror string_above_max_length request_too_large "
        "prompt_too_long messageoutputlengtherror contextoverflowerror"
    ),
    Trouble.RATE: (
        "rate_limit rate_limit_error rate_limit_exceeded overloaded overloaded_error resource_exhausted unavailable "
        "server_error api_error internal_server_error internal timeout_error slow_down throttlingexception "
        "service_unavailable server_is_overloaded deadline_exceeded too_many_requests ratelimiterror timeout "
        "apiconnectionerror internalservererror serviceunavailableerror badgatewayerror"
    ),
}
_BY_CODE = {code: kind for kind, codes in _CODES.items() for code in codes.split()}
"""Codes and types of errors as providers and programs spell them, in lower case."""

_STATUS = {
    401: Trouble.LOGIN, 402: Trouble.QUOTA, 403: Trouble.LOGIN, 404: Trouble.MODEL, 407: Trouble.LOGIN,
    408: Trouble.RATE, 409: Trouble.RATE, 413: Trouble.CONTEXT, 429: Trouble.RATE,
}  # fmt: skip

_WORDS = {
    Trouble.CONTEXT: (
        r"(?:prompt|input|request|message)s? (?:is |are )?too (?:long|large)|context (?:window|length)|"
        r"maximum context|token (?:count|limit).{0,40}exceed|exceed.{0,60}(?:number of tokens|context)|"
        r"input length and .?max_tokens.? exceed|reduce the length of the messages"
    ),
    Trouble.QUOTA: (
        r"insufficient.(?:quota|credits?|balance|funds)|quota.{0,40}(?:exceeded|exhausted|reached)|"
        r"(?:exceeded|exhausted|reached).{0,40}\bquota|credit balance|usage limit|out of (?:extra )?(?:credits|usage)|"
        r"(?:daily|weekly|monthly|hourly|5.hour|session|fast|opus|sonnet|plan).{0,20}(?:limit|quota)|"
        r"requires? more credits|no credits|billing (?:hard )?limit|billing details|spend(?:ing)? (?:limit|cap)|"
        r"max.budget|budget exceeded|hit your limit|limit (?:was |is )?reached|payment required|purchase (?:more )?"
        r"credits"
    ),
    Trouble.LOGIN: (
        r"\b401\b|\b403\b|unauthori[sz]ed|unauthenticated|authenticat|authoriz|invalid (?:x-)?(?:api.key|bearer)|"
        r"incorrect api key|not logged in|/login|log ?in (?:to|again|required)|sign ?in again|no api key|"
        r"api.key.{0,30}(?:missing|required|not|invalid|expired)|missing credentials|"
        r"missing environment variable|auth method|permission.?(?:error|denied)|access.?denied|"
        r"token.{0,30}(?:expired|invalid|revoked)|(?:expired|invalid|revoked).{0,30}token|refresh token|"
        r"(?:organi[sz]ation|account|workspace).{0,40}(?:disabled|deactivated|suspended|not allowed)|credentials"
    ),
    Trouble.MODEL: (
        r"model.{0,60}(?:not found|does(?: not|n't) exist|not supported|not available|unknown|invalid|no access)|"
        r"(?:unknown|invalid|unsupported|no such) model|not have access to (?:it|the model|model)|\b404\b|"
        r"issue with the selected model|not found for api version"
    ),
    Trouble.RATE: (
        r"\b429\b|\b50[0234]\b|\b529\b|rate.?limit|too many requests|throttl|overloaded|temporarily unavailable|"
        r"unavailable|resource.?exhausted|econnre(?:set|fused)|connection (?:error|refused|reset|timed? ?out)|"
        r"fetch failed|stream disconnected|network (?:error|is unreachable)|etimedout|enotfound|eai_again|"
        r"server error|high demand|certificate|\bssl\b|\btls\b|getaddrinfo|name resolution|socket hang up|proxy error"
    ),
}
_SIGNS = {kind: re.compile(words, re.IGNORECASE) for kind, words in _WORDS.items()}


def of_error(status: int | None, code: str, text: str) -> Trouble | None:
    """The kind of an error as a program states it; None where it states none.

    Args:
        status: HTTP status, None for none.
        code: The error's code or type; empty for none.
        text: The error's message, which tells apart what one status stands for.
    """
    found = _BY_CODE.get(code.strip().lower())
    if found is not None and found is not Trouble.RATE:
        return found
    if status in {400, 422, 429} or found is Trouble.RATE:
        of_words = in_words(text)
        if of_words in {Trouble.QUOTA, Trouble.CONTEXT, Trouble.MODEL}:
            return of_words
        if of_words and status in {400, 422}:
            return of_words
    if found or status is None:
        return found
    return Trouble.RATE if 500 <= status < 600 else _STATUS.get(status, Trouble.FAILURE)


def in_words(text: str) -> Trouble | None:
    """The kind of trouble that a program's words name; None where they name none."""
    return next((kind for kind, signs in _SIGNS.items() if signs.search(text[-4000:])), None)


_REFUSAL = re.compile(
    r"\brefus(?:al|ed?)\b|\bI(?:'m| am) (?:sorry|unable)|\bI can(?:'t|not| not) (?:help|assist|do that|comply)|"
    r"usage policy|content.filter|flagged",
    re.IGNORECASE,
)


def refuses(text: str) -> bool:
    """Whether a message declines the work; it is a word for a person and changes nothing."""
    return _REFUSAL.search(text[-4000:]) is not None


def last_words(text: str) -> str:
    """The last line of a text that says something, as one line of prose; empty for none."""
    lines = map(plain, reversed(text[-8000:].splitlines()))
    return next((line for line in lines if any(map(str.isalnum, line))), "")
