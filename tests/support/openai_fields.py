"""Fields of the OpenAI API that mean nothing on a farm, each with a value of its own."""

OPENAI = {
    "complexity": "auto",
    "background": "transparent",
    "moderation": "low",
    "style": "vivid",
    "response_format": "b64_json",
    "user": "user-1234",
    "safety_identifier": "abc",
    "input_fidelity": "high",
    "partial_images": 0,
    "stream": False,
}
