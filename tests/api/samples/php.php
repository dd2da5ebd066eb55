$recipients = ['254712345678', '254723456789'];
 
$ch = curl_init('https://api.talkntalk.africa/v1/sms/send-bulk/');
curl_setopt_array($ch, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_POST           => true,
    CURLOPT_HTTPHEADER     => [
        'Authorization: Bearer tk_live_xxxx',
        'Content-Type: application/json',
    ],
    CURLOPT_POSTFIELDS => json_encode([
        'recipients' => $recipients,
        'message'    => 'Your promo code is SAVE20!',
        'sender_id'  => 'TALKNTALK',
    ]),
]);
$data = json_decode(curl_exec($ch), true);
echo "Queued: {$data['queued']}/{$data['total']}\n";
