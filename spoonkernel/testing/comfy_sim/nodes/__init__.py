"""What the node classes do. A class without a function of its own passes typed values along (`generic.py`)."""

from spoonkernel.testing.comfy_sim.nodes import generic, images, latents, sampling, saving, texts
from spoonkernel.testing.comfy_sim.nodes.context import NodeContext, NodeFunction, Outcome

FUNCTIONS: dict[str, NodeFunction] = {
    **texts.FUNCTIONS,
    **latents.FUNCTIONS,
    **images.FUNCTIONS,
    **sampling.FUNCTIONS,
    **saving.FUNCTIONS,
}


async def run(context: NodeContext, inputs: dict[str, object]) -> Outcome:
    """Run one node. Raises what the node raises."""
    done = await FUNCTIONS.get(context.class_type, generic.passed_along)(context, inputs)
    return done if isinstance(done, Outcome) else Outcome(tuple(done))
