"""The relations that people want: `runs`, everything that was ever made in one place, and `parameters` in long form."""

from spoonkernel.query.catalog import View

RUN_COLUMNS = {
    "id": "The row's own id in its table",
    "kind": "reply (a chat answer), task, result or generation",
    "created_at": "When it was asked for (UTC)",
    "completed_at": "When it ended (UTC)",
    "status": "pending, running, complete, stopped or failed",
    "provider": "ollama, openai, gemini, claude, local or comfyui",
    "model": "The model's name, or the checkpoint's file",
    "profile_id": "The profile that was used",
    "profile": "Its name",
    "parent_id": "A reply's conversation, a result's task, a generation's session",
    "title": "The title of that conversation or session, or the task's name",
    "prompt": "The question or the prompt",
    "negative_prompt": "The negative prompt of a generation",
    "text": "The answer, where it is text",
    "seed": "0 to 2^64-1, the one that ran",
    "steps": "Sampling steps",
    "cfg_scale": "How strongly the prompt leads",
    "sampler_name": "The sampler",
    "scheduler": "The scheduler",
    "width": "Pixels",
    "height": "Pixels",
    "batch_size": "Images in one run",
    "temperature": "Of a reply or a task",
    "max_tokens": "Of a reply or a task",
    "prompt_tokens": "Tokens of the request",
    "completion_tokens": "Tokens of the answer",
    "total_tokens": "Both",
    "cost_usd": "US dollars, where it is known",
    "first_token_ms": "From the request to the first text, in milliseconds",
    "duration_ms": "From the request (or the start of the run) to the end, in milliseconds",
    "rating": "1 to 5, 0 rejected, null not rated",
    "file": "The first file in the media folder",
    "thumbnail": "Its thumbnail",
    "error": "Why it failed",
    "parameters": "Everything that was asked for beside the prompt",
}

_REPLIES = """
select t.id, 'reply' as kind, coalesce(q.created_at, t.created_at) as created_at,
  t.created_at + to_milliseconds(cast(coalesce(t.duration_ms, 0) as bigint)) as completed_at,
  case t.state when 'writing' then 'running' else t.state end as status,
  t.provider, t.model, t.profile_id, t.conversation_id as parent_id, c.title, q.text as prompt, t.text,
  try_cast(c.options->>'seed' as ubigint) as seed, c.options as parameters,
  try_cast(t.usage->>'prompt_tokens' as bigint) as prompt_tokens,
  try_cast(t.usage->>'completion_tokens' as bigint) as completion_tokens,
  try_cast(t.usage->>'total_tokens' as bigint) as total_tokens,
  t.cost_usd, t.first_token_ms, t.duration_ms, t.error->>'message' as error
from conversation_turns t
left join conversation_turns q on q.id = t.parent_id
left join conversations c on c.id = t.conversation_id
where t.role = 'assistant'
"""

_CHATS = """
select id, 'reply' as kind, created_at - to_milliseconds(coalesce(duration_ms, 0)) as created_at,
  created_at as completed_at,
  case outcome when 'error' then 'failed' when 'stopped' then 'stopped' else 'complete' end as status,
  provider, model, profile_id, prompt_tokens, completion_tokens, total_tokens, first_token_ms, duration_ms
from chat_usage where task_id is null and turn_id is null
"""

_TASKS = """
select id, 'task' as kind, created_at, completed_at, status, provider, options->>'model' as model, profile_id,
  name as title, prompt, try_cast(options->>'seed' as ubigint) as seed, options as parameters,
  1000.0 * epoch(completed_at - started_at) as duration_ms, error
from tasks
"""

_RESULTS = """
select r.id, 'result' as kind, r.created_at, r.created_at as completed_at, 'complete' as status, t.provider,
  coalesce(r.metadata->>'model', t.options->>'model') as model, t.profile_id, t.id as parent_id,
  t.name as title, t.prompt,
  case when r.type = 'text' then r.content end as text,
  case when r.type <> 'text' then r.content end as file,
  try_cast(coalesce(r.metadata->>'seed', t.options->>'seed') as ubigint) as seed,
  try_cast(r.metadata->>'width' as bigint) as width, try_cast(r.metadata->>'height' as bigint) as height,
  try_cast(r.metadata->>'prompt_tokens' as bigint) as prompt_tokens,
  try_cast(r.metadata->>'completion_tokens' as bigint) as completion_tokens,
  try_cast(coalesce(r.metadata->>'total_tokens', r.metadata->>'tokens') as bigint) as total_tokens,
  try_cast(coalesce(r.metadata->>'cost_usd', r.metadata->>'cost') as double) as cost_usd,
  try_cast(r.metadata->>'duration_ms' as double) as duration_ms, t.options as parameters
from results r join tasks t on t.id = r.task_id
"""

_GENERATIONS = """
select g.id, 'generation' as kind, g.created_at, g.completed_at, g.status, 'comfyui' as provider,
  g.checkpoint_name as model, s.profile_id, g.session_id as parent_id, s.title,
  g.prompt_text as prompt, g.negative_prompt,
  g.seed, g.steps, g.cfg_scale, g.sampler_name, g.scheduler, g.width, g.height, g.batch_size,
  1000.0 * g.generation_time_seconds as duration_ms, g.rating,
  g.outputs->0->>'content' as file, g.outputs->0->>'thumbnail' as thumbnail, g.error, g.parameters
from comfyui_generations g left join comfyui_sessions s on s.id = g.session_id
"""

_RUNS = f"""
with made as (
  {_REPLIES} union all by name {_CHATS} union all by name {_TASKS}
  union all by name {_RESULTS} union all by name {_GENERATIONS}
), told as (
  select made.* replace (
      try_cast(made.steps as bigint) as steps, try_cast(made.rating as bigint) as rating
    ), p.name as profile,
    try_cast(made.parameters->>'temperature' as double) as temperature,
    try_cast(made.parameters->>'max_tokens' as bigint) as max_tokens
  from made left join profiles p on p.id = made.profile_id
)
select {", ".join(RUN_COLUMNS)} from told
"""  # noqa: S608 - its parts are written above

_PARAMETERS = """
with each as (
  select id as run_id, kind, unnest(json_keys(parameters)) as name, parameters from runs
  where json_type(parameters) = 'OBJECT'
), placed as (
  select *, '$."' || replace(replace(name, '\\', '\\\\'), '"', '\\"') || '"' as place from each
)
select run_id, kind, name, json_extract(parameters, place) as value,
  try_cast(json_extract_string(parameters, place) as double) as number
from placed
"""

VIEWS = (
    View(
        "runs",
        _RUNS,
        "Every chat reply, task, result and generation, in one relation",
        RUN_COLUMNS,
    ),
    View(
        "parameters",
        _PARAMETERS,
        "One row for each parameter of each run",
        {
            "run_id": "The run's id in `runs`",
            "kind": "reply, task, result or generation",
            "name": "The parameter's name or address",
            "value": "Its value as JSON",
            "number": "Its value where it is a number",
        },
    ),
)
