/** The body back as it comes in, with its content type. */
export default function handler(request) {
  const type = request.headers.get('content-type') ?? 'application/octet-stream';
  return new Response(request.body, { headers: { 'content-type': type } });
}
