/** The body back, as text: what is measured is the way to it. */
export default (event, context) => context.succeed(event.body);
