import { readFileSync } from 'node:fs';

for (const name of ['page_body.json', 'page_loop.json']) {
  const res = await fetch(`${process.env.BASE_URL}/api/sms/send-bulk`, {
    method: 'POST',
    headers: {
      'Authorization': `Bearer ${process.env.API_KEY}`,
      'Content-Type': 'application/json',
    },
    body: JSON.stringify(JSON.parse(readFileSync(name, 'utf8'))),
  });
  console.log(JSON.stringify(await res.json()));
}
