/** Generated from spoonkernel/types by tests/unit/test_typescript_types.py: as the kernel sends them, JSON. */

export interface Attachment {
  content: string;
  thumbnail: string | null;
  filename: string;
  content_type: string;
  width: number | null;
  height: number | null;
  size_bytes: number;
}

export interface ConversationDetail {
  id: string;
  title: string;
  provider: string | null;
  model: string | null;
  profile_id: string | null;
  system: string | null;
  options: Record<string, unknown>;
  active_turn_id: string | null;
  turn_count: number;
  created_at: string;
  updated_at: string;
  turns: Turn[];
}

export interface Difference {
  what: "parameter" | "prompt" | "seed" | "node" | "link" | "model" | "input" | "server" | "package" | "workflow";
  name: string;
  before: unknown;
  after: unknown;
  text: string;
}

export interface Generation {
  id: string;
  session_id: string;
  workflow_id: string | null;
  prompt_id: string;
  prompt_text: string;
  negative_prompt: string | null;
  parameters: Record<string, unknown>;
  width: number | null;
  height: number | null;
  steps: number | null;
  cfg_scale: number | null;
  seed: number | string | null;
  sampler_name: string | null;
  scheduler: string | null;
  batch_size: number | null;
  checkpoint_name: string | null;
  loras_used: unknown[];
  status: "pending" | "running" | "complete" | "failed";
  progress: number;
  cached: boolean;
  error: string | null;
  warnings: string[];
  outputs: Output[];
  rating: number | null;
  generation_time_seconds: number | null;
  reproduces: string | null;
  batch_index: number | null;
  task_id: string | null;
  created_at: string;
  started_at: string | null;
  completed_at: string | null;
}

export interface GenerationDiff {
  generation_id: string;
  other_id: string;
  verdict: "IDENTICAL" | "CLOSE" | "DIFFERENT" | null;
  summary: string;
  changes: Difference[];
  images: ImageComparison[];
  unknown: string[];
}

export interface GenerationProgress {
  kind: "generation:progress";
  seq: number;
  generationId: string;
  sessionId: string;
  node: string;
  progress: number;
}

export interface GenerationWorkflow {
  generation_id: string;
  workflow_json: Record<string, unknown>;
  parameters: Record<string, unknown>;
  prompt_text: string;
  negative_prompt: string | null;
  ui_workflow: Record<string, unknown> | null;
  ingredients: Record<string, unknown>;
  missing: string[];
}

export interface ImageComparison {
  index: number;
  verdict: "IDENTICAL" | "CLOSE" | "DIFFERENT";
  max_difference: number | null;
  psnr_db: number | null;
  same_file: boolean;
  reason: string;
}

export type JsonValue = unknown;

export interface Output {
  filename: string;
  subfolder: string;
  type: "output" | "input" | "temp";
  kind: "image" | "video" | "audio" | "text" | "file";
  node_id: string;
  index: number;
  content: string | null;
  thumbnail: string | null;
  text: string | null;
  content_type: string | null;
  width: number | null;
  height: number | null;
  size_bytes: number | null;
  file_sha256: string | null;
  pixel_sha256: string | null;
  rating: number | null;
}

export interface Profile {
  id: string;
  name: string;
  description: string | null;
  type: "text" | "image" | "video" | "audio";
  provider: "ollama" | "openai" | "gemini" | "claude" | "local" | "comfyui";
  api_key: string | null;
  url: string | null;
  options: Record<string, unknown>;
  prompt_template: string | null;
  input_modalities: ("text" | "image" | "video" | "audio")[];
  output_modalities: ("text" | "image" | "video" | "audio")[];
  created_at: string;
  updated_at: string;
}

export interface Result {
  id: string;
  task_id: string;
  type: "text" | "image" | "video" | "audio";
  content: string;
  metadata: Record<string, unknown>;
  created_at: string;
}

export interface Session {
  id: string;
  profile_id: string;
  profile_name: string;
  profile_url: string;
  title: string;
  current_workflow_id: string | null;
  last_parameters: Record<string, unknown>;
  generation_count: number;
  completed_count: number;
  failed_count: number;
  created_at: string;
  updated_at: string;
}

export interface Task {
  id: string;
  name: string;
  type: "text" | "image" | "video" | "audio";
  provider: "ollama" | "openai" | "gemini" | "claude" | "local" | "comfyui";
  prompt: string;
  options: Record<string, unknown>;
  status: "pending" | "running" | "complete" | "failed";
  error: string | null;
  progress: number;
  retryCount: number;
  created_at: string;
  started_at: string | null;
  completed_at: string | null;
}

export interface TaskProgress {
  kind: "task:progress";
  seq: number;
  taskId: string;
  progress: number;
  message: string;
}

export interface Trouble {
  code: string;
  message: string;
  retry_after_s: number | null;
}

export interface Turn {
  id: string;
  conversation_id: string;
  parent_id: string | null;
  role: "user" | "assistant";
  text: string;
  attachments: Attachment[];
  state: "writing" | "complete" | "stopped" | "failed";
  provider: string | null;
  model: string | null;
  profile_id: string | null;
  error: Trouble | null;
  warnings: string[];
  finish_reason: "stop" | "length" | "tool_calls" | "content_filter" | "error" | null;
  usage: Usage;
  first_token_ms: number | null;
  duration_ms: number | null;
  cost_usd: number | null;
  created_at: string;
}

export interface Usage {
  prompt_tokens: number | null;
  completion_tokens: number | null;
  total_tokens: number | null;
}

export interface Workflow {
  id: string;
  name: string;
  description: string | null;
  profile_id: string;
  profile_name: string;
  is_default: boolean;
  generation_count: number;
  default_parameters: Record<string, unknown>;
  created_at: string;
  updated_at: string;
  workflow_json: Record<string, unknown>;
  extracted_parameters: WorkflowParameter[];
}

export interface WorkflowParameter {
  nodeId: string;
  field: string;
  type: string;
  value: unknown;
  label?: string | null;
  min?: unknown;
  max?: unknown;
  step?: number | null;
  options?: unknown[] | null;
  role?: string | null;
  node?: string | null;
  integer?: boolean | null;
  multiline?: boolean | null;
  display?: string | null;
  tooltip?: string | null;
  labels?: string[] | null;
}
