const res = await fetch('https://api.talkntalk.africa/v1/sms/send-bulk/', {
  method:  'POST',
  headers: {
    'Authorization': 'Bearer tk_live_xxxx',
    'Content-Type':  'application/json',
  },
  body: JSON.stringify({
    recipients: ['254712345678', '254723456789', '254734567890'],
    message:    'Your promo code is SAVE20!',
    sender_id:  'TALKNTALK',
  }),
});
const data = await res.json();
console.log(`Queued: ${data.queued}/${data.total}`);
data.errors.forEach(e => console.warn(`Failed: ${e.mobile}${e.detail}`));
