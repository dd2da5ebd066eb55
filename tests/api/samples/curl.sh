curl -X POST https://api.talkntalk.africa/v1/sms/send-bulk/ \
  -H "Authorization: Bearer tk_live_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
  -H "Content-Type: application/json" \
  -d '{
    "recipients": ["254712345678", "254723456789"],
    "message":    "Your promo code is SAVE20. Valid today only!",
    "sender_id":  "TALKNTALK"
  }'
