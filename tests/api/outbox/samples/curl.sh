# One text for all, then a text for each: the bodies of the page, in files beside this one.
curl -s -X POST "$BASE_URL/api/sms/send-bulk" \
  -H "Authorization: Bearer $API_KEY" \
  -H "Content-Type: application/json" \
  -d @page_body.json
echo
curl -s -X POST "$BASE_URL/api/sms/send-bulk" \
  -H "Authorization: Bearer $API_KEY" \
  -H "Content-Type: application/json" \
  -d @page_loop.json
echo
